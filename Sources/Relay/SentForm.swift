import Catalog
import Wire

/// What an endpoint is sent instead of what the client wrote: its own name of the model, without parameters that it does
/// not take, in its class of service.
struct SentForm {
  let model: [UInt8]
  /// Parameters that are left out.
  let dropping: ParameterSet
  /// What `service_tier` becomes, as JSON; `nil` leaves it.
  let tier: StaticString?
  let extraMembers: [UInt8]

  init(_ endpoint: Endpoint, of route: RoutePlan, for request: RequestScan, in table: RouteTable) {
    model = endpoint.upstreamModelJSON
    // A bound on what the answer may cost is never taken away: an endpoint that does not know it may refuse it.
    dropping = endpoint.traits.parameters.map { request.parameters.subtracting($0.union(.outputLimits)) } ?? []
    extraMembers = endpoint.traits.extraMembersJSON
    switch endpoint.traits.tier {
    case .flex: tier = "\"flex\""
    case .priority: tier = "\"priority\""
    default:
      // Where other tiers are endpoints of their own, this one's price is that of the usual tier, whatever was asked.
      let asked = request.controls?.serviceTier
      let sellsTiers =
        (asked == .flex || asked == .priority)
        && route.candidates.contains { table.endpoints[$0].traits.tier != .default }
      tier = sellsTiers ? "\"default\"" : nil
    }
  }

  func length(of request: RequestScan) -> Int {
    request.spliceLength(
      upstreamModel: model, askUsage: true, dropping: dropping, tier: tier, extraMembers: extraMembers)
  }

  func splice(_ body: Span<UInt8>, _ request: RequestScan, emit: (Span<UInt8>) -> Void) {
    request.splice(
      body, upstreamModel: model, askUsage: true, dropping: dropping, tier: tier, extraMembers: extraMembers, emit: emit
    )
  }
}
