/// Draws an order: each next place with a probability in proportion to its weight among those left.
///
/// - Parameters:
///   - weights: parallel to `places`; not negative. Places of weight 0 come last, in their given order.
func weightedOrder(
  _ places: [Int], weights: [Double], using random: inout some RandomNumberGenerator
) -> [Int] {
  var left = places
  var leftWeights = weights
  var total = weights.reduce(0, +)
  var order: [Int] = []
  order.reserveCapacity(places.count)
  while left.count > 1, total > 0 {
    var draw = Double.random(in: 0..<1, using: &random) * total
    var pick: Int?
    for index in left.indices where leftWeights[index] > 0 {
      pick = index
      draw -= leftWeights[index]
      if draw < 0 { break }
    }
    guard let pick else { break }
    order.append(left.remove(at: pick))
    leftWeights.remove(at: pick)
    // Summed anew: subtracting would leave a remainder of rounding where nothing is left.
    total = leftWeights.reduce(0, +)
  }
  return order + left
}
