import Catalog

/// The decision: which endpoints a completion tries, and in which order. Pure; clock and randomness are passed in.
public enum Selection {
  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  /// - Returns: every candidate of the route once; empty when the route has none.
  public static func plan(
    for route: Route, in table: RouteTable, health: EndpointHealth, now: UInt64,
    using random: inout some RandomNumberGenerator
  ) -> AttemptPlan {
    let isStable = { (place: Int) in health.isStable(place, now: now) }
    switch route.policy {
    case .default:
      if route.tiers.count == 1 {
        return AttemptPlan(
          endpoints: DefaultPolicy.order(route.tiers[0], in: table, isStable: isStable, using: &random))
      }
      var order: [Int] = []
      for tier in route.tiers { order += DefaultPolicy.order(tier, in: table, isStable: isStable, using: &random) }
      return AttemptPlan(endpoints: order)
    case .order(let places):
      return AttemptPlan(endpoints: stableFirst(places, isStable))
    case .weighted(let weights):
      let order = weightedOrder(route.candidates, weights: weights, using: &random)
      return AttemptPlan(endpoints: stableFirst(order, isStable))
    }
  }

  private static func stableFirst(_ places: [Int], _ isStable: (Int) -> Bool) -> [Int] {
    if places.allSatisfy(isStable) { return places }
    return places.filter(isStable) + places.filter { !isStable($0) }
  }
}
