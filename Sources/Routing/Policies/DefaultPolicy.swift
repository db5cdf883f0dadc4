import Catalog

/// OpenRouter's default: among the endpoints without a recent outage, by chance in proportion to the inverse square of
/// the price; behind them the unstable ones in the same manner.
///
/// Free endpoints come before priced ones; an endpoint whose price is unknown comes last in its group, since unknown is
/// not free.
enum DefaultPolicy {
  static func order(
    _ tier: [Int], in table: RouteTable, isStable: (Int) -> Bool, using random: inout some RandomNumberGenerator
  ) -> [Int] {
    if tier.count < 2 { return tier }
    var order: [Int] = []
    order.reserveCapacity(tier.count)
    for stable in [true, false] {
      var free: [Int] = []
      var priced: [Int] = []
      var unknown: [Int] = []
      var weights: [Double] = []
      for place in tier where isStable(place) == stable {
        guard let price = table.endpoints[place].price else {
          unknown.append(place)
          continue
        }
        // Input and output weigh the same here: what a request really costs is the `price` policy's question.
        let sum = Double(price.input) + Double(price.output)
        if sum <= 0 {
          free.append(place)
        } else {
          priced.append(place)
          weights.append(1 / (sum * sum))
        }
      }
      order += weightedOrder(free, weights: free.map { _ in 1 }, using: &random)
      order += weightedOrder(priced, weights: weights, using: &random)
      order += weightedOrder(unknown, weights: unknown.map { _ in 1 }, using: &random)
    }
    return order
  }
}
