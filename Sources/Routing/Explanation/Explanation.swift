import Catalog

/// A decision with everything that led to it, made by the code that decides. What the `explain` command, the admin API
/// and the 404 body show.
public struct Explanation: Sendable {
  public enum Verdict: Sendable, Equatable {
    case picked
    /// 1 for the first that is tried when the pick fails.
    case fallback(Int)
    case rejected(Rejection)
  }

  public struct Term: Sendable, Equatable {
    public var name: String
    public var value: Double
  }

  public struct Candidate: Sendable {
    /// The place in `RouteTable.endpoints`.
    public var place: Int
    public var verdict: Verdict
    /// The terms add up to the score, of which the least is best; empty for a rejected one.
    public var terms: [Term] = []
    public var score: Double?
    /// How probable it is that a request like this picks it first; `nil` where chance plays no part.
    public var share: Double?
    /// Why it stands behind others whatever its score.
    public var setbacks: [String] = []
    /// What the request is expected to cost there, in pico-USD (10^-12 USD), and how many of its tokens come from the
    /// cache; `nil` when its price is unknown.
    public var expectedCost: Double?
    public var cachedTokens: Double = 0
    public var price: Price?
    public var estimate: EndpointEstimate?
    public var report: EndpointReport?
    /// The state of its breaker in words, and of its provider's when that is not closed.
    public var breaker: String
    /// How many of its provider's keys are free, in words; `nil` when all are.
    public var keys: String?
    public var isHolder = false
  }

  public var route: String
  /// The name of the rule that matched.
  public var rule: String?
  /// `default`, `price` …, or what the request's `sort` made of it.
  public var policy: String
  /// The unit of scores and terms.
  public var scoreUnit: String
  public var question: Question
  /// The picked one, then the fallbacks in order, then the rejected.
  public var candidates: [Candidate]
  public var decision: Decision
  /// Which share of requests explores idle endpoints.
  public var exploration: Double

  init(_ work: Selection.Work, _ decision: Decision) {
    let selection = work.selection
    let table = selection.candidates.table
    route = work.route.name
    rule = work.question.rule.flatMap { work.route.rules.indices.contains($0) ? work.route.rules[$0].name : nil }
    policy = work.question.controls?.order.isEmpty == false ? "order (of the request)" : work.policy.name
    scoreUnit = work.policy.unit
    question = work.question
    exploration = work.plan.limits.exploration
    self.decision = decision
    let names = work.policy.termNames
    let shares = Self.shares(work)
    candidates = work.order.enumerated().map { position, ranked in
      let scored = work.scored[ranked.index]
      var candidate = Candidate(scored.place, position == 0 ? .picked : .fallback(position), selection)
      candidate.terms = zip(names, scored.score.listed(names.count)).map { Term(name: $0, value: $1) }
      candidate.score = scored.score.total
      candidate.share = shares?[ranked.index]
      candidate.setbacks = scored.setbacks.reasons
      if scored.hasPrice { candidate.expectedCost = scored.cost.now }
      candidate.cachedTokens = scored.cost.cachedTokens
      candidate.price = table.endpoints[scored.place].price(
        promptTokens: work.question.promptTokens, minuteOfDay: work.question.minuteOfDay)
      candidate.estimate = selection.knowledge.estimate(scored.place)
      candidate.isHolder = scored.isHolder
      return candidate
    }
    for (place, reason) in work.rejected ?? [] {
      var candidate = Candidate(place, .rejected(reason), selection)
      candidate.price = table.endpoints[place].price
      candidates.append(candidate)
    }
  }

  /// OpenRouter's words for the limits that turned candidates away, each once.
  public var excludedBy: [String] {
    var codes: [String] = []
    for candidate in candidates {
      if case .rejected(let rejection) = candidate.verdict, !codes.contains(rejection.code) {
        codes.append(rejection.code)
      }
    }
    return codes
  }

  /// By chance the first of the best group is drawn in proportion to the weights.
  private static func shares(_ work: Selection.Work) -> [Int: Double]? {
    guard work.policy.isRandom, work.held == nil, work.pinned == nil, work.explored == nil,
      work.question.controls?.order.isEmpty ?? true, let best = work.order.map(\.group).min()
    else { return nil }
    let group = work.order.filter { $0.group == best }
    func weight(_ index: Int) -> Double { work.scored[index].weight.isInfinite ? 1 : work.scored[index].weight }
    let sum = group.reduce(0) { $0 + weight($1.index) }
    guard sum > 0 else { return nil }
    var shares: [Int: Double] = [:]
    for ranked in work.order { shares[ranked.index] = 0 }
    for ranked in group { shares[ranked.index] = weight(ranked.index) / sum }
    return shares
  }
}

extension Explanation.Candidate {
  init(_ place: Int, _ verdict: Explanation.Verdict, _ selection: Selection) {
    self.place = place
    self.verdict = verdict
    let reports = selection.knowledge.reports
    report = reports.indices.contains(place) ? reports[place] : nil
    breaker = selection.health.breakerWords(place, now: selection.now)
    keys = selection.health.keyWords(place, now: selection.now)
  }
}

extension Policy {
  /// What its score is counted in.
  var unit: String {
    switch self {
    case .cheapest: "pico-USD"
    case .fastestFirstToken: "seconds"
    case .fastestThroughput: "seconds"
    case .inverseSquare: "pico-USD per token"
    case .balanced, .toolQuality: "distance from the best"
    case .leastBusy: "requests"
    case .written: "place"
    case .weighted: "inverse weight"
    }
  }
}
