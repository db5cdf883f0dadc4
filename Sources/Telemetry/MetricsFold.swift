import Metering
import Synchronization

/// Counters and histograms over the attempts that were settled since the process started, fed by the ledger's writer after
/// each commit: they cost the data plane nothing, and agree with the ledger.
public final class MetricsFold: Sendable {
  private let state: Mutex<MetricsSnapshot>

  /// `seriesLimit`: how many different (route, provider, model) are kept apart; what comes beyond is counted as `other`.
  public init(seriesLimit: Int = 2_000) { state = Mutex(MetricsSnapshot(seriesLimit: seriesLimit)) }

  /// Adds settled attempts; each must come once.
  public func record(_ records: [UsageRecord]) {
    state.withLock { snapshot in
      for record in records { snapshot.add(record) }
    }
  }

  public var snapshot: MetricsSnapshot { state.withLock { $0 } }
}

/// The counts at one moment, to be rendered.
public struct MetricsSnapshot: Sendable {
  struct Key: Hashable, Comparable, Sendable {
    var route: String
    var provider: String
    var model: String

    static let other = Key(route: "other", provider: "other", model: "other")

    static func < (a: Key, b: Key) -> Bool { (a.route, a.provider, a.model) < (b.route, b.provider, b.model) }
  }

  /// Sums of one kind of token: what is known.
  struct Tokens: Sendable, Equatable {
    var input: UInt64 = 0
    var cachedInput: UInt64 = 0
    var cacheWrite: UInt64 = 0
    var output: UInt64 = 0
    var reasoning: UInt64 = 0
  }

  struct Series: Sendable {
    /// By `Outcome.rawValue`.
    var attempts = [UInt64](repeating: 0, count: Outcome.allCases.count)
    var completions = [UInt64](repeating: 0, count: Outcome.allCases.count)
    var tokens = Tokens()
    var costNanoUSD: UInt64 = 0
    var inputTokens = Histogram(bounds: Bounds.tokens)
    var outputTokens = Histogram(bounds: Bounds.tokens)
    var duration = Histogram(bounds: Bounds.duration)
    var timeToFirstToken = Histogram(bounds: Bounds.firstToken)
  }

  let seriesLimit: Int
  private(set) var series: [Key: Series] = [:]

  init(seriesLimit: Int) { self.seriesLimit = seriesLimit }

  mutating func add(_ record: UsageRecord) {
    let opened = record.opened
    let key = Key(route: opened.route, provider: opened.provider, model: opened.model)
    if let place = series.index(forKey: key) {
      series.values[place].add(record.settled)
    } else {
      series[series.count < seriesLimit ? key : .other, default: Series()].add(record.settled)
    }
  }
}

extension MetricsSnapshot.Series {
  mutating func add(_ settled: AttemptSettled) {
    attempts[Int(settled.outcome.rawValue)] &+= 1
    if settled.isFinal { completions[Int(settled.outcome.rawValue)] &+= 1 }

    func count(_ value: Int64?) -> UInt64 { UInt64(clamping: value ?? 0) }
    let usage = settled.usage
    tokens.input &+= count(usage.input)
    tokens.cachedInput &+= count(usage.cachedInput)
    tokens.cacheWrite &+= count(usage.cacheWrite)
    tokens.output &+= count(usage.output)
    tokens.reasoning &+= count(usage.reasoning)
    costNanoUSD &+= count(settled.cost)

    if let input = usage.input { inputTokens.record(Double(input)) }
    if let output = usage.output { outputTokens.record(Double(output)) }
    duration.record(Double(settled.duration) / 1_000_000)
    if let first = settled.timeToFirstToken { timeToFirstToken.record(Double(first) / 1_000_000) }
  }
}
