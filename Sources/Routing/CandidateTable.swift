import Catalog
import Wire

/// What the decision reads of every endpoint, as plain numbers side by side: it goes over a thousand of them without
/// touching a string or a reference count. Made once for a table, immutable.
public final class CandidateTable: Sendable {
  public let table: RouteTable
  let facts: [CandidateFacts]
  /// Names of the providers in lower case, for slugs.
  let providerNames: [String]
  /// Whether any endpoint sells another class of service than the usual one.
  let hasTiers: Bool

  public init(_ table: RouteTable) {
    self.table = table
    facts = table.endpoints.map { CandidateFacts($0, model: table.models[$0.model]) }
    hasTiers = facts.contains { $0.tier != .default }
    providerNames = table.providers.map { $0.name.lowercased() }
  }

  /// Whether a slug, in lower case, means the endpoint at this place.
  func matches(_ slugs: [String], _ place: Int) -> Bool {
    let endpoint = table.endpoints[place]
    let name = providerNames[endpoint.provider]
    return slugs.contains { endpoint.matches(slug: $0, providerName: name) }
  }
}

extension CandidateTable {
  /// The price at which a request would be charged at this place now.
  @inline(__always)
  func price(at place: Int, promptTokens: Int64, minuteOfDay: Int) -> PriceFacts {
    guard facts[place].hasOverrides,
      let price = table.endpoints[place].price(promptTokens: promptTokens, minuteOfDay: minuteOfDay)
    else { return facts[place].price }
    return PriceFacts(price)
  }
}

/// An endpoint in numbers. Prices are pico-USD (10^-12 USD) per token.
struct CandidateFacts: Sendable {
  let key: UInt64
  let hasPrice: Bool
  let hasOverrides: Bool
  let price: PriceFacts
  let requestPrice: Double
  let imagePrice: Double
  let context: Int64
  let maxOutput: Int64
  let tier: ServiceTier
  /// What it takes; everything when undeclared.
  let parameters: ParameterSet
  let inputs: InputModalities
  let quantization: Quantization
  let trains: Bool?
  let retains: Bool?
  let isDistillable: Bool?
  let concurrency: Int
  /// From 0 to 1; `nil` when nobody gave a score.
  let quality: Double?
  let priceStaleAt: Int64

  init(_ endpoint: Endpoint, model: Model) {
    let traits = endpoint.traits
    key = endpoint.key
    hasPrice = endpoint.price != nil
    hasOverrides = !traits.priceOverrides.isEmpty
    price = endpoint.price.map(PriceFacts.init) ?? .zero
    requestPrice = Double(traits.requestPrice)
    imagePrice = Double(traits.imagePrice)
    context = endpoint.context.map(Int64.init) ?? .max
    maxOutput = endpoint.maxOutput.map(Int64.init) ?? .max
    tier = traits.tier
    parameters = traits.parameters ?? ParameterSet(rawValue: .max)
    inputs = traits.inputs ?? InputModalities(rawValue: .max)
    quantization = traits.quantization
    trains = traits.trains
    retains = traits.retains
    isDistillable = model.isDistillable
    concurrency = traits.concurrency ?? .max
    quality = traits.quality ?? model.quality
    priceStaleAt = traits.priceStaleAt ?? .max
  }
}

/// A price as the arithmetic of the decision wants it: pico-USD per token, each kind with a price of its own.
struct PriceFacts: Sendable {
  let input: Double
  let cachedInput: Double
  let cacheWrite: Double
  let output: Double

  static let zero = PriceFacts(Price(input: 0, output: 0))

  init(_ price: Price) {
    input = Double(price.input)
    cachedInput = Double(price.cachedInput ?? price.input)
    cacheWrite = Double(price.cacheWrite ?? price.input)
    output = Double(price.output)
  }
}
