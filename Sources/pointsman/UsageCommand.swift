import ArgumentParser
import Foundation
import Metering

struct UsageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage",
    abstract: "Token counts, cost and latency from the ledger.",
    discussion: """
      Reads the ledger of --data, also while a router runs. What a router that died has left behind is settled first. \
      Counts that are not known are shown as such, never as zero.

      Exit status: 0 fine, 1 the ledger cannot be read, 2 wrong use.
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: "Group by route, model, provider, endpoint, key, day or outcome.") var by: UsageGrouping = .route
  @Option(help: ArgumentHelp("Only what started so long ago at most: 30m, 12h, 7d.", valueName: "time")) var since:
    String?
  @Flag(help: "One row per attempt instead of groups (JSON).") var rows = false
  @Option(help: ArgumentHelp("With --rows: the newest so many.", valueName: "n")) var limit: Int?
  @Flag(help: "Comma-separated values.") var csv = false
  @Flag(help: "JSON.") var json = false

  func validate() throws {
    if csv, json { throw ValidationError("choose one of --csv and --json") }
    if csv, rows { throw ValidationError("--rows is printed as JSON; leave out --csv") }
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    if since != nil, age == nil { throw ValidationError("--since is a number with s, m, h or d behind it, as in 24h") }
  }

  func run() throws {
    let directory = common.dataDirectory
    if let reason = SystemReason.reading("\(directory)/ledger.sqlite") {
      StandardError.print(
        reason.code == ENOENT
          ? "pointsman: there is no ledger in \(directory); run `pointsman serve` first, or name another --data"
          : "pointsman: the ledger in \(directory) cannot be read: \(reason.text)")
      throw ExitCode(1)
    }
    do {
      let ledger = try Ledger(dataDirectory: directory)
      try Recovery.run(dataDirectory: directory, ledger: ledger) { StandardError.print("pointsman: \($0)") }
      var filter = LedgerFilter()
      filter.limit = limit
      if let age { filter.since = Int64(Date().timeIntervalSince1970 * 1000) - age }
      if rows {
        print(rowsJSON(try ledger.rows(filter)))
        return
      }
      let table = UsageTable(grouping: by, groups: try ledger.usage(by: by, filter))
      print(csv ? table.csv : json ? table.json : table.text, terminator: json ? "\n" : "")
    } catch {
      StandardError.print("pointsman: \(error)")
      throw ExitCode(1)
    }
  }

  /// `since` in milliseconds.
  private var age: Int64? {
    guard let since, let unit = since.last, let number = Int64(since.dropLast()), number >= 0 else { return nil }
    let milliseconds: [Character: Int64] = ["s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    return milliseconds[unit].flatMap { size in
      let (product, overflow) = number.multipliedReportingOverflow(by: size)
      return overflow ? nil : product
    }
  }
}

extension UsageGrouping: ExpressibleByArgument {}
