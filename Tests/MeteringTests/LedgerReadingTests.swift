import Foundation
import Testing

@testable import Metering

@Suite struct LedgerReadingTests {
  private let scratch: ScratchFolder
  private let ledger: Ledger
  private var ids = RecordIDSource(seed: 3)
  private let day: UInt64 = 1_790_035_200_000

  init() throws {
    scratch = try ScratchFolder()
    ledger = try Ledger(dataDirectory: scratch.path)
  }

  private mutating func attempt(
    route: String = "chat", key: String = "", after: UInt64 = 0, _ change: (inout AttemptSettled) -> Void
  ) -> [JournalRecord] {
    let id = ids.next(unixMilliseconds: day + after)
    var opened = AttemptOpened(
      id: id, completion: ids.next(unixMilliseconds: day + after), unixMilliseconds: day + after)
    opened.route = route
    opened.key = key
    opened.model = "m"
    opened.provider = "p"
    opened.endpoint = "p/m"
    var settled = AttemptSettled(id: id, outcome: .completed)
    settled.isFinal = true
    change(&settled)
    return [.opened(opened), .settled(settled)]
  }

  private mutating func fold(_ records: [JournalRecord]) throws {
    try ledger.fold(records, of: ids.next(unixMilliseconds: day))
  }

  @Test mutating func sumsKeepTheUnknownApart() throws {
    var records: [JournalRecord] = []
    for number in 1...10 {
      records += attempt {
        $0.usage.input = number == 10 ? nil : 100
        $0.usage.output = Int64(number)
        $0.cost = number == 10 ? nil : 1_000
        $0.timeToFirstToken = UInt64(number) * 1_000
        $0.duration = UInt64(number) * 10_000
      }
    }
    records += attempt(route: "embed", key: "team") { $0.usage.input = 5 }
    records += attempt(route: "chat", after: 86_400_000) {
      $0.outcome = .failed
      $0.failure = .stalled
      $0.isFinal = false
    }.prefix(1)
    try fold(records)

    let groups = try ledger.usage(by: .route)
    #expect(groups.map(\.name) == ["chat", "embed"])
    let chat = groups[0]
    #expect(chat.requests == 10 && chat.attempts == 11 && chat.open == 1)
    #expect(chat.input == KnownSum(sum: 900, unknown: 1))
    #expect(chat.output == KnownSum(sum: 55, unknown: 0))
    #expect(chat.cost == KnownSum(sum: 9_000, unknown: 1))
    #expect(chat.timeToFirstToken == Percentiles(p50: 5_000, p90: 9_000))
    #expect(chat.duration == Percentiles(p50: 50_000, p90: 90_000))
    #expect(groups[1].timeToFirstToken == Percentiles())

    #expect(try ledger.usage(by: .day).map(\.name) == ["2026-09-22", "2026-09-23"])
    #expect(try ledger.usage(by: .outcome).map(\.name) == ["completed", "open"])
    #expect(try ledger.usage(by: .key).map(\.name) == ["", "team"])
    var filter = LedgerFilter()
    filter.since = Int64(day) + 1
    #expect(try ledger.usage(by: .model, filter).map(\.attempts) == [1])
    filter.since = nil
    filter.route = "embed"
    #expect(try ledger.usage(by: .provider, filter).map(\.input.sum) == [5])
    for grouping in UsageGrouping.allCases {
      #expect(try ledger.usage(by: grouping).map(\.attempts).reduce(0, +) == 12)
    }
  }

  @Test mutating func countsBeyondBoundsAreUnknownAndNeverBreakASum() throws {
    var records: [JournalRecord] = []
    for _ in 0..<20 {
      records += attempt {
        $0.usage.input = .max
        $0.usage.output = -1
        $0.cost = .max
        $0.inputSource = .provider
        $0.observedOutput = -5
      }
    }
    records += attempt {
      $0.usage.input = AttemptSettled.maximumTokens
      $0.timeToFirstToken = .max
      $0.duration = .max
    }
    try fold(records)
    let group = try #require(try ledger.usage(by: .route).first)
    #expect(group.input == KnownSum(sum: AttemptSettled.maximumTokens, unknown: 20))
    #expect(group.cost == KnownSum(sum: 0, unknown: 21))
    let row = try #require(try ledger.rows().last)
    #expect(row.flags == .usageBeyondBounds && row.inputSource == "unknown" && row.observedOutputTokens == 0)
  }

  @Test mutating func rowsAreNewestFirstAndFiltered() throws {
    try fold((0..<5).flatMap { number in attempt(route: number < 3 ? "a" : "b", after: UInt64(number)) { _ in } })
    var filter = LedgerFilter()
    filter.limit = 2
    #expect(try ledger.rows(filter).map(\.unixMilliseconds) == [Int64(day) + 4, Int64(day) + 3])
    filter.route = "a"
    let row = try #require(try ledger.rows(filter).first)
    #expect(row.unixMilliseconds == Int64(day) + 2)
    filter = LedgerFilter()
    filter.completion = RecordID(row.completionID)
    #expect(try ledger.rows(filter) == [row])
    filter = LedgerFilter()
    filter.until = Int64(day) + 1
    #expect(try ledger.rows(filter).count == 1)
    filter.limit = -1
    #expect(try ledger.rows(filter).isEmpty)
  }

  @Test mutating func jsonHasEveryKeyAndNullForTheUnknown() throws {
    try fold(
      attempt {
        $0.usage.output = 3
        $0.outputSource = .observed
        $0.flags = [.usageMissing, .cutAfterFinish]
        $0.timeToFirstToken = 1_500
      })
    let rows = try ledger.rows()
    let text = rowsJSON(rows)
    let array = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
    let row = try #require(array.first)
    #expect(
      Set(row.keys) == [
        "attempt_id", "completion_id", "generation_id", "time_ms", "key", "route", "rule", "model", "provider",
        "endpoint", "attempt", "reason", "streamed", "prompt_bytes", "input_tokens", "cached_input_tokens",
        "cache_write_tokens", "output_tokens", "reasoning_tokens", "observed_output_tokens", "input_source",
        "output_source", "cost_nanousd", "price_version", "ttft_ms", "duration_ms", "outcome", "failure", "status",
        "final", "flags",
      ])
    #expect(row["input_tokens"] is NSNull && row["key"] is NSNull && row["status"] is NSNull)
    #expect(row["output_tokens"] as? Int == 3)
    #expect(row["ttft_ms"] as? Double == 1.5)
    #expect(row["flags"] as? [String] == ["usage_missing", "cut_after_finish"])
    let generation = try #require(row["generation_id"] as? String)
    #expect(generation == "gen-" + (RecordID(rows[0].completionID)?.hex ?? "none"))
  }

  @Test mutating func tablesRenderAsTextCSVAndJSON() throws {
    try fold(
      attempt(route: "a,\"b\"") {
        $0.usage.input = 1_000
        $0.cost = 1_234_567_890
        $0.timeToFirstToken = 1_499
      } + attempt(route: "c") { $0.duration = 2_000_000 })
    let table = UsageTable(grouping: .route, groups: try ledger.usage(by: .route))
    let lines = table.text.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(Set(lines.map(\.count)).count == 1)
    #expect(lines[1].hasPrefix("a,\"b\"  ") && lines[1].contains(" 1.234567 ") && lines[1].contains(" 1/1 "))
    #expect(lines[2].contains(" 0+ ") && lines[2].hasSuffix(" 2000/2000"))

    let csv = table.csv.components(separatedBy: "\r\n")
    #expect(csv[1].hasPrefix("\"a,\"\"b\"\"\",1,1,0,1000,0,0,1,"))
    #expect(csv[1].contains(",1234567890,0,1.499,1.499,"))
    #expect(csv[2].split(separator: ",", omittingEmptySubsequences: false).count == csv[0].split(separator: ",").count)

    let json = try #require(JSONSerialization.jsonObject(with: Data(table.json.utf8)) as? [String: Any])
    #expect(json["group_by"] as? String == "route")
    let groups = try #require(json["groups"] as? [[String: Any]])
    #expect(groups.map { $0["route"] as? String } == ["a,\"b\"", "c"])
    #expect(groups[0]["cost_nanousd"] as? Int == 1_234_567_890)
    #expect(groups[1]["ttft_p50_ms"] is NSNull)
  }

  @Test func dollarsAreExact() {
    #expect(UsageTable.usd(0) == "0.000000")
    #expect(UsageTable.usd(1_000) == "0.000001")
    #expect(UsageTable.usd(-12_000_045_000) == "-12.000045")
    #expect(UsageTable.usd(.max) == "9223372036.854775")
  }

  @Test func aLedgerOfANewerVersionIsRefusedWithAWayOut() throws {
    try ledger.pool.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999')") }
    let error = #expect(throws: LedgerError.self) { try Ledger(dataDirectory: scratch.path) }
    #expect("\(error as Any)".contains("newer"))
  }
}
