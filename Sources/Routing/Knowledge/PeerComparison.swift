/// Who lags behind the endpoints of the same model: OpenRouter's median and MAD, with what a small router sees.
///
/// A signal counts when at least 4 endpoints of the model have 20 samples of it (throughput within 30 minutes, quality
/// within 2 hours). An endpoint lags when it is more than 1.5 sigma (throughput) or 2 sigma (rates) below their median;
/// sigma = 1.4826 * MAD, the MAD taken to be at least 10 % of the median (throughput) or 2 points (rates), so that
/// endpoints that are nearly the same stay so.
struct PeerComparison {
  static let fewestPeers = 4
  static let fewestSamples = 20

  /// By place, in words for people.
  private(set) var reasons: [Int: String] = [:]

  /// - Parameter members: the endpoints of one model.
  init(_ members: [(place: Int, report: EndpointReport, throughputs: Int)]) {
    guard members.count >= Self.fewestPeers else { return }
    compare(
      members.compactMap { member in
        guard member.throughputs >= Self.fewestSamples else { return nil }
        return member.report.lastThirtyMinutes.throughput.map { (member.place, $0.p50) }
      }, sigmas: 1.5
    ) {
      0.1 * $0
    } wording: { value, limit, median, peers in
      """
      its throughput of \(value.inTenths) tokens/s is below \(limit.inTenths) (median \(median.inTenths) of \(peers) \
      endpoints, less 1.5 sigma)
      """
    }
    compareRates("good tool calls", members.map { ($0.place, $0.report.toolErrors) })
    compareRates("good JSON answers", members.map { ($0.place, $0.report.jsonErrors) })
    compareRates("answers with content", members.map { ($0.place, $0.report.emptyAnswers) })
  }

  private mutating func compareRates(_ what: String, _ rates: [(Int, (rate: Double, of: Int)?)]) {
    compare(
      rates.compactMap { place, errors in
        guard let errors, errors.of >= Self.fewestSamples else { return nil }
        return (place, 1 - errors.rate)
      }, sigmas: 2
    ) { _ in
      0.02
    } wording: { value, limit, median, peers in
      """
      \(what): \((value * 100).inTenths) % is below \((limit * 100).inTenths) % (median \
      \((median * 100).inTenths) % of \(peers) endpoints, less 2 sigma)
      """
    }
  }

  private mutating func compare(
    _ values: [(place: Int, value: Double)], sigmas: Double, leastMAD: (Double) -> Double,
    wording: (_ value: Double, _ limit: Double, _ median: Double, _ peers: Int) -> String
  ) {
    guard values.count >= Self.fewestPeers, let median = values.map(\.value).sorted().median,
      let deviation = values.map({ abs($0.value - median) }).sorted().median
    else { return }
    let limit = median - sigmas * 1.4826 * max(deviation, leastMAD(median))
    for (place, value) in values where value < limit {
      let words = wording(value, limit, median, values.count)
      reasons[place] = reasons[place].map { $0 + "; " + words } ?? words
    }
  }
}

extension Double {
  /// With one digit after the point.
  fileprivate var inTenths: String {
    let tenths = Int((min(max(self, -1e9), 1e9) * 10).rounded())
    return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
  }
}
