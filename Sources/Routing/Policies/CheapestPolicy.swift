/// Lowest expected cost of this request first; see `ExpectedCost`. One whose price is unknown comes last.
enum CheapestPolicy {
  static let termNames = [
    "cached input", "input", "output", "request and images", "waste of a failure", "further turns",
  ]

  static func score(_ candidates: inout [ScoredCandidate]) {
    for index in candidates.indices {
      let cost = candidates[index].cost
      candidates[index].score.terms =
        candidates[index].hasPrice
        ? (cost.cachedInput, cost.input, cost.output, cost.fixed, cost.waste, cost.further) : (.infinity, 0, 0, 0, 0, 0)
    }
  }
}
