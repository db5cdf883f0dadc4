/// Most tokens per second first, counted as seconds for a thousand tokens.
enum ThroughputPolicy {
  static let termNames = ["seconds for 1,000 tokens", "answers that break off"]

  static func score(_ candidates: inout [ScoredCandidate], _ known: Knowledge) {
    for index in candidates.indices {
      let estimate = known.estimate(candidates[index].place)
      let seconds = 1_000 / max(estimate.throughput, 0.01)
      let breaks = min(max(estimate.interruptionRate + estimate.failureRate, 0), 0.95)
      candidates[index].score.terms.0 = seconds
      candidates[index].score.terms.1 = seconds * breaks / (1 - breaks)
    }
  }
}
