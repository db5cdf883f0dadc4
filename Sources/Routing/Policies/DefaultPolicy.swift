import Catalog

/// OpenRouter's default: among the endpoints without a recent outage, by chance in proportion to the inverse square of
/// the price; behind them the unstable ones in the same manner.
///
/// Free endpoints come before priced ones; an endpoint whose price is unknown comes last in its group, since unknown is
/// not free.
enum DefaultPolicy {
  /// Adds a tier's candidates, in groups from `firstGroup` on; a tier takes six.
  static func rank(
    _ tier: [Int], firstGroup: Int, in table: RouteTable, _ health: EndpointHealth, now: UInt64,
    _ random: inout FastRandom, into ranking: inout [Ranked]
  ) {
    for place in tier {
      let group = firstGroup + (health.isStable(place, now: now) ? 0 : 3)
      guard let price = table.endpoints[place].price else {
        ranking.append(Ranked(group: group + 2, arrival: arrival(weight: 1, &random), place: place))
        continue
      }
      // Input and output weigh the same here: what a request really costs is the `price` policy's question.
      let sum = Double(price.input) + Double(price.output)
      if sum <= 0 {
        ranking.append(Ranked(group: group, arrival: arrival(weight: 1, &random), place: place))
      } else {
        ranking.append(Ranked(group: group + 1, arrival: arrival(weight: 1 / (sum * sum), &random), place: place))
      }
    }
  }
}
