/// What one model's endpoints say together of a speed: where an endpoint of which nothing is known yet begins.
struct PeerSpeed {
  /// How many peers the default is worth.
  static let priorWeight = 1.0

  private let sorted: [Double]
  private let fallback: Double

  /// - Parameters:
  ///   - evidence: of each endpoint of which there is some.
  ///   - fallback: the default.
  init(_ evidence: [Double], fallback: Double) {
    sorted = evidence.sorted()
    self.fallback = fallback
  }

  /// With c others whose median is m: `(c * m + default) / (c + 1)`.
  ///
  /// - Parameter own: the evidence of the endpoint that asks, which is left out.
  func value(without own: Double?) -> Double {
    let median = own.map { sorted.median(without: sorted.firstPlace(notBelow: $0)) } ?? sorted.median
    guard let median else { return fallback }
    let others = Double(own == nil ? sorted.count : sorted.count - 1)
    return (others * median + Self.priorWeight * fallback) / (others + Self.priorWeight)
  }
}
