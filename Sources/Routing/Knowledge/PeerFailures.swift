/// Who fails far more often than the endpoints of the same model (Envoy's outlier detection by success rate, with what a
/// small router sees): of its last five minutes' answers, 20 or more, at least half failed, while another of the model
/// with as many failed at most half as often. When all of them fail nobody is an outlier.
struct PeerFailures {
  static let fewestSamples = 20
  static let leastRate = 0.5

  /// By place, in words for people.
  private(set) var reasons: [Int: String] = [:]

  /// - Parameter members: of the endpoints of one model: the place, the id, how many attempts were judged and how many of
  ///   these failed before their content or broke off in it.
  init(_ members: [(place: Int, id: String, judged: Int, bad: Int)]) {
    func rate(_ member: (place: Int, id: String, judged: Int, bad: Int)) -> Double {
      Double(member.bad) / Double(member.judged)
    }
    let judged = members.filter { $0.judged >= Self.fewestSamples }
    guard let best = judged.min(by: { rate($0) < rate($1) }) else { return }
    for member in judged where rate(member) >= Self.leastRate && rate(best) <= rate(member) / 2 {
      reasons[member.place] = """
        \(Int((rate(member) * 100).rounded())) % of its \(member.judged) answers of the last five minutes failed, of \
        those of \(best.id) \(Int((rate(best) * 100).rounded())) %
        """
    }
  }
}
