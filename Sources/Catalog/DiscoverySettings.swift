/// How a provider's own list of models is read (`discover:` of a provider).
public struct DiscoverySettings: Sendable, Equatable {
  public var format = DiscoveryFormat.auto
  /// How long what was read counts as current; then it is read again.
  public var interval = Duration.seconds(900)
  /// A listed model that is in `models:`, without an endpoint of this provider, becomes a further endpoint there.
  public var joins = false
  /// The names to ask for one by one, with `DiscoveryFormat.endpoints`; empty for all other formats.
  public var models: [String] = []

  public init() {}
}
