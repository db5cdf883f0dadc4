#if canImport(Glibc)
  import Glibc
#endif

/// A candidate on its way to its place in the order.
struct Ranked {
  /// Groups follow one another, the lowest first.
  var group: Int
  /// Within a group the least comes first.
  var arrival: Double
  /// The place in `RouteTable.endpoints`.
  var place: Int
}

/// When a candidate arrives in a race whose winner is drawn in proportion to the weights: exponential with the weight as
/// its rate. The whole order of arrival is then a draw without replacement (Efraimidis and Spirakis, "Weighted random
/// sampling with a reservoir", 2006).
///
/// - Parameter weight: above 0.
func arrival(weight: Double, _ random: inout FastRandom) -> Double {
  // 53 random bits and a half: above 0 and below 1.
  let uniform = (Double(random.next() >> 11) + 0.5) * 0x1p-53
  return -log(uniform) / weight
}

extension [Ranked] {
  /// The places in order.
  consuming func ordered() -> [Int] {
    sort { ($0.group, $0.arrival) < ($1.group, $1.arrival) }
    return map(\.place)
  }
}
