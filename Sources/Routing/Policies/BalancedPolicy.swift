import Catalog

/// Price, speed, availability and quality together: each side as its distance from the best candidate's, times its
/// weight. 0 is an endpoint that is best at everything.
enum BalancedPolicy {
  static let termNames = ["price", "latency", "throughput", "availability", "quality"]

  static func score(_ candidates: inout [ScoredCandidate], _ known: Knowledge, _ weights: BalancedWeights) {
    var cheapest = Double.infinity
    var dearest = 0.0
    var first = Double.infinity
    var fastest = 0.0
    for candidate in candidates {
      if candidate.hasPrice {
        cheapest = min(cheapest, candidate.cost.total)
        dearest = max(dearest, candidate.cost.total)
      }
      let estimate = known.estimate(candidate.place)
      first = min(first, estimate.firstToken)
      fastest = max(fastest, estimate.throughput)
    }
    for index in candidates.indices {
      let candidate = candidates[index]
      // One whose price is unknown counts as the dearest that is known: unknown is not free.
      let cost = candidate.hasPrice ? candidate.cost.total : dearest
      let estimate = known.estimate(candidate.place)
      candidates[index].score.terms = (
        weights.price * distance(cost, from: cheapest),
        weights.latency * distance(estimate.firstToken, from: first),
        weights.throughput * (estimate.throughput > 0 ? fastest / estimate.throughput - 1 : 10),
        weights.availability * 10 * min(max(estimate.failureRate + estimate.interruptionRate, 0), 1),
        weights.quality * (1 - (candidate.quality ?? 0.5)), 0
      )
    }
  }

  private static func distance(_ value: Double, from best: Double) -> Double {
    if best.isInfinite || value <= best { return 0 }
    return best > 0 ? min(value / best - 1, 10) : 10
  }
}
