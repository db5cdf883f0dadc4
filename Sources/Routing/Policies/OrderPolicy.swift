/// As written in routes.yaml.
enum OrderPolicy {
  static let termNames = ["place in the order"]

  static func score(_ candidates: inout [ScoredCandidate], _ order: [Int]) {
    var rank: [Int: Int] = [:]
    rank.reserveCapacity(order.count)
    for (index, place) in order.enumerated() where rank[place] == nil { rank[place] = index }
    for index in candidates.indices {
      candidates[index].score.terms.0 = Double(rank[candidates[index].place] ?? order.count + index)
    }
  }
}
