/// Fewest running requests first, as a share of what the endpoint takes at once where that is known.
enum LeastBusyPolicy {
  static let termNames = ["running", "share of its capacity"]

  static func score(_ candidates: inout [ScoredCandidate]) {
    for index in candidates.indices {
      let candidate = candidates[index]
      let running = Double(candidate.running)
      if candidate.concurrency < .max {
        // Behind an equal number at an endpoint without a limit, ahead of one more.
        candidates[index].score.terms = (running, running / Double(max(candidate.concurrency, 1)) / 2, 0, 0, 0, 0)
      } else {
        candidates[index].score.terms.0 = running
      }
    }
  }
}
