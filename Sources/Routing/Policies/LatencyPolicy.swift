/// Shortest expected time to the first token first: the endpoint's own, and what its failures add.
enum LatencyPolicy {
  static let termNames = ["seconds to first token", "tries that fail before"]

  static func score(_ candidates: inout [ScoredCandidate], _ known: Knowledge) {
    for index in candidates.indices {
      let estimate = known.estimate(candidates[index].place)
      let failures = min(max(estimate.failureRate, 0), 0.95)
      candidates[index].score.terms.0 = estimate.firstToken
      // On average f / (1 - f) tries go wrong before one goes right.
      candidates[index].score.terms.1 = estimate.firstToken * failures / (1 - failures)
    }
  }
}
