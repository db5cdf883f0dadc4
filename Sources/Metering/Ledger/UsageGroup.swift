/// What usage is grouped by.
public enum UsageGrouping: String, CaseIterable, Sendable {
  case route, model, provider, endpoint, key, day, outcome

  /// The expression in SQL for a group's number: numbers are sorted and compared many times faster than names.
  var number: String {
    switch self {
    case .route, .model, .provider, .endpoint, .key: "groups.number"
    case .day: "time_ms / 86400000"
    case .outcome: "coalesce(outcome, -1)"
    }
  }

  /// A table of each lane's group, the number of the first lane with the same name; and its join to the attempts.
  var lanes: (with: String, join: String) {
    switch self {
    case .route, .model, .provider, .endpoint, .key:
      (
        "WITH groups AS MATERIALIZED (SELECT lane, min(lane) OVER (PARTITION BY \(rawValue)) AS number FROM lanes)",
        " CROSS JOIN groups USING (lane)"
      )
    case .day, .outcome: ("", "")
    }
  }
}

/// The sum of the counts that are known, and how many were not.
public struct KnownSum: Sendable, Equatable {
  public var sum: Int64 = 0
  public var unknown: Int64 = 0
  public init(sum: Int64 = 0, unknown: Int64 = 0) {
    self.sum = sum
    self.unknown = unknown
  }
}

/// Median and 90th percentile (nearest rank) in microseconds; nil when nothing was measured.
public struct Percentiles: Sendable, Equatable {
  public var p50: Int64?
  public var p90: Int64?
  public init(p50: Int64? = nil, p90: Int64? = nil) {
    self.p50 = p50
    self.p90 = p90
  }
}

/// What the attempts of one group consumed. Unknown counts are those of settled attempts.
public struct UsageGroup: Sendable, Equatable {
  /// The route, model, … or day (`YYYY-MM-DD`, UTC); empty for no key.
  public var name: String
  /// Completions whose final attempt is in this group.
  public var requests: Int64 = 0
  public var attempts: Int64 = 0
  /// Attempts that still run.
  public var open: Int64 = 0
  public var input = KnownSum()
  public var cachedInput = KnownSum()
  public var cacheWrite = KnownSum()
  public var output = KnownSum()
  public var reasoning = KnownSum()
  /// Nano-USD.
  public var cost = KnownSum()
  public var timeToFirstToken = Percentiles()
  public var duration = Percentiles()

  public init(name: String) { self.name = name }
}
