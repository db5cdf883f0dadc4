/// One model at one provider at one price: the unit that is chosen.
public struct Endpoint: Sendable {
  /// The place in `RouteTable.endpoints`.
  public let index: Int
  /// `provider:upstream-model`, unique in the table and the same after every reload: what counters and breakers are
  /// kept by. A second endpoint of the same provider and upstream model, for another model, has `@model` behind it.
  public let id: String
  /// The place in `RouteTable.providers`.
  public let provider: Int
  /// The place in `RouteTable.models`.
  public let model: Int
  /// The provider's own name of the model.
  public let upstreamModel: String
  /// `upstreamModel` as a JSON string, quotes included, to be spliced into the request.
  public let upstreamModelJSON: [UInt8]
  /// `nil` when it is not known: unknown is not free.
  public let price: Price?
  /// Tokens of input and output together, where known.
  public let context: Int?
  /// Tokens of output, where known.
  public let maxOutput: Int?
}
