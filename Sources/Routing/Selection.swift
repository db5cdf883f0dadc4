import Catalog

/// The decision: which endpoints a completion tries, and in which order. Pure; clock and randomness are passed in.
public enum Selection {
  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  /// - Returns: every candidate of the route once; empty when the route has none.
  public static func plan(
    for route: Int, in table: RouteTable, health: EndpointHealth, now: UInt64, using random: inout FastRandom
  ) -> AttemptPlan {
    var ranking: [Ranked] = []
    ranking.reserveCapacity(table.routes[route].candidates.count)
    switch table.routes[route].policy {
    case .default:
      for (index, tier) in table.routes[route].tiers.enumerated() {
        DefaultPolicy.rank(tier, firstGroup: 6 * index, in: table, health, now: now, &random, into: &ranking)
      }
    case .order(let places):
      for (index, place) in places.enumerated() {
        ranking.append(
          Ranked(group: health.isStable(place, now: now) ? 0 : 1, arrival: Double(index), place: place))
      }
    case .weighted(let weights):
      for (index, place) in table.routes[route].candidates.enumerated() {
        let group = health.isStable(place, now: now) ? 0 : 2
        let weight = index < weights.count ? weights[index] : 0
        // Weight 0 is only a fallback: behind the others, in the order of the file.
        ranking.append(
          weight > 0
            ? Ranked(group: group, arrival: arrival(weight: weight, &random), place: place)
            : Ranked(group: group + 1, arrival: Double(index), place: place))
      }
    }
    return AttemptPlan(endpoints: ranking.ordered())
  }
}
