import Wire

/// One model of a provider's own list, as far as it could be read.
public struct DiscoveredModel: Sendable, Equatable {
  /// What the provider wants as `model`.
  public var id: String
  /// Under which other names it is known: OpenRouter's slug, the Hugging Face id.
  public var aliases: [String] = []
  /// `nil` when the list has none that is valid.
  public var price: Price?
  public var context: Int?
  public var maxOutput: Int?
  public var created: Int64 = 0
  /// `cacheLife`, `quality`, `nodeLife` are never discovered; `priceStaleAt` is set where there is a price.
  public var traits = EndpointTraits()

  public init(id: String) {
    self.id = id
  }
}
