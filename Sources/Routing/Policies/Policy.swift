#if canImport(Glibc)
  import Glibc
#endif
import Catalog
import Wire

/// An order among candidates. Each policy is one file, with the terms of its score and their names.
enum Policy {
  case cheapest
  case fastestFirstToken
  case fastestThroughput
  case balanced(BalancedWeights)
  case leastBusy
  case toolQuality
  case inverseSquare
  case written([Int])
  case weighted([Double])

  init(_ spec: SelectionPolicySpec) {
    switch spec {
    case .default: self = .inverseSquare
    case .price: self = .cheapest
    case .latency: self = .fastestFirstToken
    case .throughput: self = .fastestThroughput
    case .balanced(let weights): self = .balanced(weights)
    case .leastBusy: self = .leastBusy
    case .order(let places): self = .written(places)
    case .weighted(let weights): self = .weighted(weights)
    }
  }

  init(_ sort: RequestControls.SortKey) {
    switch sort {
    case .price: self = .cheapest
    case .latency: self = .fastestFirstToken
    case .throughput: self = .fastestThroughput
    case .exacto: self = .toolQuality
    }
  }

  var name: String {
    switch self {
    case .cheapest: "price"
    case .fastestFirstToken: "latency"
    case .fastestThroughput: "throughput"
    case .balanced: "balanced"
    case .leastBusy: "least_busy"
    case .toolQuality: "exacto"
    case .inverseSquare: "default"
    case .written: "order"
    case .weighted: "weighted"
    }
  }

  /// Whether chance decides among equals in good standing, in proportion to weights.
  var isRandom: Bool {
    switch self {
    case .inverseSquare, .weighted: true
    default: false
    }
  }

  /// The names of the score's terms, in order.
  var termNames: [String] {
    switch self {
    case .cheapest: CheapestPolicy.termNames
    case .fastestFirstToken: LatencyPolicy.termNames
    case .fastestThroughput: ThroughputPolicy.termNames
    case .balanced: BalancedPolicy.termNames
    case .leastBusy: LeastBusyPolicy.termNames
    case .toolQuality: ToolQualityPolicy.termNames
    case .inverseSquare: InverseSquarePolicy.termNames
    case .written: OrderPolicy.termNames
    case .weighted: WeightedPolicy.termNames
    }
  }

  /// Whether it looks at what a request will cost.
  var usesCost: Bool {
    switch self {
    case .cheapest, .balanced: true
    default: false
    }
  }

  /// Whether it looks at quality.
  var usesQuality: Bool {
    switch self {
    case .balanced, .toolQuality: true
    default: false
    }
  }

  /// Gives every candidate its score, and a weight where chance decides.
  func score(_ candidates: inout [ScoredCandidate], _ known: Knowledge) {
    switch self {
    case .cheapest: CheapestPolicy.score(&candidates)
    case .fastestFirstToken: LatencyPolicy.score(&candidates, known)
    case .fastestThroughput: ThroughputPolicy.score(&candidates, known)
    case .balanced(let weights): BalancedPolicy.score(&candidates, known, weights)
    case .leastBusy: LeastBusyPolicy.score(&candidates)
    case .toolQuality: ToolQualityPolicy.score(&candidates, known)
    case .inverseSquare: InverseSquarePolicy.score(&candidates)
    case .written(let places): OrderPolicy.score(&candidates, places)
    case .weighted(let weights): WeightedPolicy.score(&candidates, weights)
    }
  }
}

/// When a candidate arrives in a race whose winner is drawn in proportion to the weights: exponential with the weight as
/// its rate. The whole order of arrival is then a draw without replacement (Efraimidis and Spirakis, "Weighted random
/// sampling with a reservoir", 2006).
///
/// - Parameter weight: above 0.
func arrival(weight: Double, _ random: inout FastRandom) -> Double {
  // 53 random bits and a half: above 0 and below 1.
  let uniform = (Double(random.next() >> 11) + 0.5) * 0x1p-53
  return -log(uniform) / weight
}
