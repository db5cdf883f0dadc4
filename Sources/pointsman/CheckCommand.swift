import ArgumentParser
import Catalog
import Foundation

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Names every mistake in a routes file at once, with line and column.",
    discussion: """
      Errors stop `serve`; warnings never do. Nothing is started and no provider is asked.

      Exit status: 0 no errors, 1 errors, 2 wrong use.
      """)

  @OptionGroup var common: CommonOptions
  @Argument(help: "The routes file; the same as --config.") var file: String?
  @Flag(help: "Print the findings as a JSON array.") var json = false

  func run() throws {
    let path = file ?? common.config
    let (file, parsed) = try RoutesSource(path: path).parse()
    var diagnostics = parsed
    var summary: String?
    var leftOut: [String] = []
    if let file {
      let inputs = CompileInputs(
        environment: ProcessInfo.processInfo.environment, readSecret: { try RoutesSource.readSecret($0) },
        tryTLS: RoutesSource.tryTLS)
      let (table, compiled) = RouteTable.compile(file, inputs)
      diagnostics = compiled
      summary = table.map {
        let parts = [
          Self.counted($0.providers.count, "provider"), Self.counted($0.models.count, "model"),
          Self.counted($0.endpoints.count, "endpoint"),
          Self.counted($0.routes.count(where: { !$0.isImplied }), "route"),
        ]
        return "\(path): " + parts.joined(separator: ", ")
      }
      let used = Set(table?.providers.map(\.name) ?? [])
      if table != nil { leftOut = file.providerNames.filter { !used.contains($0) } }
    }
    if json {
      print(Self.json(diagnostics))
    } else {
      for diagnostic in diagnostics { print(diagnostic) }
      let errors = diagnostics.filter { $0.severity == .error }.count
      let warnings = diagnostics.count - errors
      if !leftOut.isEmpty {
        print(
          Self.counted(leftOut.count, "optional provider") + " left out (no key, or not asked): "
            + leftOut.joined(separator: ", "))
      }
      let found = Self.counted(errors, "error") + ", " + Self.counted(warnings, "warning")
      print((summary.map { "\($0); " } ?? "") + found)
    }
    if diagnostics.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
  }

  private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  private static func json(_ diagnostics: [Diagnostic]) -> String {
    struct Finding: Encodable {
      var file: String
      var line: Int
      var column: Int
      var severity: String
      var message: String
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let findings = diagnostics.map {
      Finding(file: $0.file, line: $0.line, column: $0.column, severity: $0.severity.rawValue, message: $0.message)
    }
    return (try? encoder.encode(findings)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
  }
}
