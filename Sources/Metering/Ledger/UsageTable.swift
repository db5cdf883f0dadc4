import FoundationEssentials

/// Grouped usage as the `usage` command prints it.
public struct UsageTable: Sendable {
  public var grouping: UsageGrouping
  public var groups: [UsageGroup]

  public init(grouping: UsageGrouping, groups: [UsageGroup]) {
    self.grouping = grouping
    self.groups = groups
  }

  /// For reading: aligned columns. A sum that lacks unknown counts has a `+` after it.
  public var text: String {
    let head = [
      grouping.rawValue, "requests", "attempts", "input", "cached", "cache write", "output", "reasoning", "cost USD",
      "ttft p50/p90 ms", "duration p50/p90 ms",
    ]
    let lines = groups.map { group in
      [
        group.name.isEmpty ? "-" : group.name, "\(group.requests)", "\(group.attempts)", Self.text(group.input),
        Self.text(group.cachedInput), Self.text(group.cacheWrite), Self.text(group.output), Self.text(group.reasoning),
        Self.usd(group.cost.sum) + (group.cost.unknown > 0 ? "+" : ""), Self.text(group.timeToFirstToken),
        Self.text(group.duration),
      ]
    }
    let table = [head] + lines
    let widths = head.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
    return table.map { line in
      let cells = line.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }
      return cells.joined(separator: "  ") + "\n"
    }.joined()
  }

  /// RFC 4180 with a header; unknown is an empty cell.
  public var csv: String {
    let head = [
      grouping.rawValue, "requests", "attempts", "open", "input_tokens", "input_unknown", "cached_input_tokens",
      "cached_input_unknown", "cache_write_tokens", "cache_write_unknown", "output_tokens", "output_unknown",
      "reasoning_tokens", "reasoning_unknown", "cost_nanousd", "cost_unknown", "ttft_p50_ms", "ttft_p90_ms",
      "duration_p50_ms", "duration_p90_ms",
    ]
    let lines = groups.map { group in
      let sums = [group.input, group.cachedInput, group.cacheWrite, group.output, group.reasoning, group.cost]
      let times = [
        group.timeToFirstToken.p50, group.timeToFirstToken.p90, group.duration.p50, group.duration.p90,
      ]
      return [Self.quoted(group.name), "\(group.requests)", "\(group.attempts)", "\(group.open)"]
        + sums.flatMap { ["\($0.sum)", "\($0.unknown)"] } + times.map { $0.map { "\(milliseconds($0))" } ?? "" }
    }
    return ([head] + lines).map { $0.joined(separator: ",") + "\r\n" }.joined()
  }

  /// One object: `group_by`, and `groups` with the same names as the CSV's.
  public var json: String { LedgerJSON.of(Document(table: self)) }

  private static func text(_ sum: KnownSum) -> String { "\(sum.sum)" + (sum.unknown > 0 ? "+" : "") }

  private static func text(_ times: Percentiles) -> String {
    func text(_ value: Int64?) -> String { value.map { "\(($0 + 500) / 1_000)" } ?? "-" }
    return "\(text(times.p50))/\(text(times.p90))"
  }

  /// Nano-USD as decimal USD, cut after the micro-USD.
  static func usd(_ nano: Int64) -> String {
    let micro = nano.magnitude / 1_000
    let fraction = String(micro % 1_000_000)
    let zeros = String(repeating: "0", count: 6 - fraction.count)
    return (nano < 0 ? "-" : "") + "\(micro / 1_000_000).\(zeros)\(fraction)"
  }

  private static func quoted(_ cell: String) -> String {
    guard cell.utf8.contains(where: { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }) else { return cell }
    return "\"" + cell.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}

/// Milliseconds of microseconds.
func milliseconds(_ microseconds: Int64) -> Double { Double(microseconds) / 1_000 }

private struct Document: Encodable {
  let table: UsageTable

  enum Keys: String, CodingKey { case group_by, groups }

  func encode(to encoder: any Encoder) throws {
    var all = encoder.container(keyedBy: Keys.self)
    try all.encode(table.grouping.rawValue, forKey: .group_by)
    try all.encode(table.groups.map { Group(grouping: table.grouping, group: $0) }, forKey: .groups)
  }
}

private struct Group: Encodable {
  let grouping: UsageGrouping
  let group: UsageGroup

  enum Keys: String, CodingKey {
    case route, model, provider, endpoint, key, day, outcome, requests, attempts, open
    case input_tokens, input_unknown, cached_input_tokens, cached_input_unknown, cache_write_tokens, cache_write_unknown
    case output_tokens, output_unknown, reasoning_tokens, reasoning_unknown, cost_nanousd, cost_unknown
    case ttft_p50_ms, ttft_p90_ms, duration_p50_ms, duration_p90_ms
  }

  func encode(to encoder: any Encoder) throws {
    var all = encoder.container(keyedBy: Keys.self)
    let name: Keys =
      switch grouping {
      case .route: .route
      case .model: .model
      case .provider: .provider
      case .endpoint: .endpoint
      case .key: .key
      case .day: .day
      case .outcome: .outcome
      }
    try all.encode(grouping == .key && group.name.isEmpty ? nil : group.name, forKey: name)
    try all.encode(group.requests, forKey: .requests)
    try all.encode(group.attempts, forKey: .attempts)
    try all.encode(group.open, forKey: .open)
    func put(_ value: KnownSum, _ sum: Keys, _ unknown: Keys) throws {
      try all.encode(value.sum, forKey: sum)
      try all.encode(value.unknown, forKey: unknown)
    }
    try put(group.input, .input_tokens, .input_unknown)
    try put(group.cachedInput, .cached_input_tokens, .cached_input_unknown)
    try put(group.cacheWrite, .cache_write_tokens, .cache_write_unknown)
    try put(group.output, .output_tokens, .output_unknown)
    try put(group.reasoning, .reasoning_tokens, .reasoning_unknown)
    try put(group.cost, .cost_nanousd, .cost_unknown)
    try all.encode(group.timeToFirstToken.p50.map(milliseconds), forKey: .ttft_p50_ms)
    try all.encode(group.timeToFirstToken.p90.map(milliseconds), forKey: .ttft_p90_ms)
    try all.encode(group.duration.p50.map(milliseconds), forKey: .duration_p50_ms)
    try all.encode(group.duration.p90.map(milliseconds), forKey: .duration_p90_ms)
  }
}
