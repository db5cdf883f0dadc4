/// By chance in proportion to the weights of routes.yaml; weight 0 is only a fallback.
enum WeightedPolicy {
  static let termNames = ["inverse of its weight"]

  static func score(_ candidates: inout [ScoredCandidate], _ weights: [Double]) {
    for index in candidates.indices {
      let position = candidates[index].position
      let weight = weights.indices.contains(position) ? weights[position] : 0
      candidates[index].weight = weight
      candidates[index].score.terms.0 = weight > 0 ? 1 / weight : .infinity
    }
  }
}
