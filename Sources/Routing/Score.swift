/// What an endpoint's place in the order is made of: terms that add up to the score, of which the least is best.
struct Score {
  /// As many as any policy has.
  var terms: (Double, Double, Double, Double, Double, Double) = (0, 0, 0, 0, 0, 0)

  var total: Double { terms.0 + terms.1 + terms.2 + terms.3 + terms.4 + terms.5 }

  /// The terms of a policy that has this many, in order.
  func listed(_ count: Int) -> [Double] {
    Array([terms.0, terms.1, terms.2, terms.3, terms.4, terms.5].prefix(count))
  }
}

/// What a policy looks at: one candidate that has passed the filters.
struct ScoredCandidate {
  /// The place in `RouteTable.endpoints`.
  var place: Int
  /// The place in the list of `models` of the request, of the model that it serves.
  var tier: Int
  /// Where it stands among the route's own candidates; for `weighted`.
  var position: Int
  var price: PriceFacts
  var hasPrice: Bool
  var cost: ExpectedCost
  var quality: Double?
  var running: Int
  var concurrency: Int
  /// It served this conversation's newest turn.
  var isHolder: Bool
  /// Why it stands behind others, whatever its score.
  var setbacks: Setbacks = []
  var score = Score()
  /// The weight of its draw, for policies that choose by chance; 0 for one that is only a fallback.
  var weight = 0.0
  /// By which it is put in order within its group: the score, or the moment of its arrival in the race.
  var rank = 0.0
}

/// Why a candidate stands behind others, whatever its score; the worst last.
struct Setbacks: OptionSet {
  let rawValue: UInt8

  /// Its price has not been confirmed for longer than its list's time to live.
  static let stalePrice = Setbacks(rawValue: 1)
  /// Slower than the request's `preferred_min_throughput` or `preferred_max_latency`.
  static let notPreferred = Setbacks(rawValue: 2)
  /// The rate limits of all of its keys are used up, or they are retired.
  static let limited = Setbacks(rawValue: 4)
  /// It or its provider is in an outage, or has just returned and this request is not of its share; or it fails far more
  /// often than its peers.
  static let unstable = Setbacks(rawValue: 8)
  /// It lags behind its peers in quality.
  static let lagging = Setbacks(rawValue: 16)

  var reasons: [String] {
    var reasons: [String] = []
    if contains(.stalePrice) { reasons.append("its price is stale") }
    if contains(.notPreferred) { reasons.append("slower than the request prefers") }
    if contains(.limited) { reasons.append("none of its keys is free") }
    if contains(.unstable) { reasons.append("is out, is returning from that, or fails far more often than its peers") }
    if contains(.lagging) { reasons.append("lags behind its peers") }
    return reasons
  }
}
