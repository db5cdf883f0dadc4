import Wire

/// What routes.yaml says of an endpoint beside its price, or of all endpoints of a provider; `nil` where it says nothing.
struct DeclaredTraits: Sendable {
  var tag: String?
  var tier: ServiceTier?
  var parameters: ParameterSet?
  var inputs: InputModalities?
  var quantization: Quantization?
  var region: String?
  var trains: Bool?
  var retains: Bool?
  var cacheLife: Duration?
  var quality: Double?
  var concurrency: Int?
  var nodeLife: Duration?
  /// `.some(nil)`: it is said that there is none.
  var continuation: Continuation??
  /// Said together with `continuation`.
  var chatTemplate: ChatTemplate?

  /// What is written at the endpoint, else at its provider, else in the provider's own list.
  ///
  /// - Parameter providerName: in lower case; an endpoint that sells another tier than the usual one, without a tag of
  ///   its own, is known as `provider/tier`.
  func traits(over provider: DeclaredTraits, _ listed: EndpointTraits?, providerName: String) -> EndpointTraits {
    var traits = listed ?? EndpointTraits()
    traits.tag = tag ?? traits.tag
    traits.tier = tier ?? traits.tier
    traits.parameters = parameters ?? traits.parameters
    traits.inputs = inputs ?? traits.inputs
    traits.quantization = quantization ?? provider.quantization ?? traits.quantization
    traits.region = region ?? provider.region ?? traits.region
    traits.trains = trains ?? provider.trains ?? traits.trains
    traits.retains = retains ?? provider.retains ?? traits.retains
    traits.cacheLife = cacheLife ?? provider.cacheLife ?? traits.cacheLife
    traits.quality = quality ?? traits.quality
    traits.concurrency = concurrency ?? traits.concurrency
    traits.nodeLife = nodeLife ?? traits.nodeLife
    traits.continuation = continuation ?? provider.continuation ?? traits.continuation
    traits.chatTemplate = continuation == nil ? provider.chatTemplate : chatTemplate
    if traits.tag == nil, traits.tier != .default { traits.tag = "\(providerName)/\(traits.tier.rawValue)" }
    return traits
  }
}
