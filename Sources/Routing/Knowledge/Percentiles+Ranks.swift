extension Percentiles {
  /// By nearest rank: the value that at least this share of the samples is not worse than.
  ///
  /// - Parameters:
  ///   - ascending: sorted.
  ///   - higherIsBetter: then a higher percentile is a lower value.
  /// - Returns: `nil` for no samples.
  init?(ascending: [Float], higherIsBetter: Bool) {
    if ascending.isEmpty { return nil }
    func rank(_ percent: Int) -> Double {
      let place = (ascending.count * percent + 99) / 100 - 1
      return Double(ascending[higherIsBetter ? ascending.count - 1 - place : place])
    }
    self.init(p50: rank(50), p75: rank(75), p90: rank(90), p99: rank(99))
  }
}

extension Array where Element: BinaryFloatingPoint {
  /// The first place in a sorted array whose value is not below `value`; the end when all are.
  func firstPlace(notBelow value: Element) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Of a sorted array: the middle value, or the mean of the two in the middle; `nil` when empty.
  var median: Double? {
    if isEmpty { return nil }
    return (Double(self[(count - 1) / 2]) + Double(self[count / 2])) / 2
  }

  /// The median of a sorted array with the value at `place` left out; `nil` when nothing else is there.
  func median(without place: Int) -> Double? {
    if count < 2 { return nil }
    func at(_ rank: Int) -> Double { Double(self[rank < place ? rank : rank + 1]) }
    return (at((count - 2) / 2) + at((count - 1) / 2)) / 2
  }
}
