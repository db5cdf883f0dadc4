/// `:exacto`: endpoints that call tools well first, those without a score behind them; the laggards among them stand
/// last by their setback already.
enum ToolQualityPolicy {
  static let termNames = ["lack of quality", "failures"]

  static func score(_ candidates: inout [ScoredCandidate], _ known: Knowledge) {
    for index in candidates.indices {
      candidates[index].score.terms.0 = 1 - (candidates[index].quality ?? 0)
      candidates[index].score.terms.1 = known.estimate(candidates[index].place).failureRate
    }
  }
}
