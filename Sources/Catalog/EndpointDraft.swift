/// An endpoint on its way into the table: what the file says, and what the provider's own list adds.
struct EndpointDraft {
  /// The place in `RoutesFile.providers`.
  let entry: Int
  let model: String
  let upstream: String
  /// It is not in the file: its id has its tag in it, so that the order of the list does not matter.
  let isDiscovered: Bool
  let price: Price?
  let context: Int?
  let maxOutput: Int?
  private let listed: EndpointTraits?
  private let written: DeclaredTraits
  /// The price that the file says; it goes before the list's, with all its parts.
  private let writtenPrice: RoutesFile.PriceEntry?

  /// An endpoint of the file.
  init(
    entry: Int, model: String, upstream: String, listed: DiscoveredModel?, price: RoutesFile.PriceEntry?,
    context: Int?, maxOutput: Int?, traits: DeclaredTraits
  ) {
    self.entry = entry
    self.model = model
    self.upstream = upstream
    isDiscovered = false
    self.price = price.map(\.price) ?? listed?.price
    self.context = context
    self.maxOutput = maxOutput
    self.listed = listed?.traits
    written = traits
    writtenPrice = price
  }

  /// An endpoint of a provider's list.
  init(entry: Int, model: String, _ listed: DiscoveredModel, _ price: RoutesFile.PriceEntry?) {
    self.entry = entry
    self.model = model
    upstream = listed.id
    isDiscovered = true
    self.price = price.map(\.price) ?? listed.price
    context = listed.context
    maxOutput = listed.maxOutput
    self.listed = listed.traits
    written = DeclaredTraits()
    writtenPrice = price
  }

  /// Nobody says what it costs (a mistake in what is written is another matter).
  var hasNoPrice: Bool { price == nil && writtenPrice == nil }

  func traits(over provider: DeclaredTraits, providerName: String) -> EndpointTraits {
    var traits = written.traits(over: provider, listed, providerName: providerName)
    if let writtenPrice {
      traits.requestPrice = writtenPrice.request
      traits.imagePrice = writtenPrice.image
      traits.priceOverrides = writtenPrice.overrides
      traits.priceStaleAt = nil
    } else if price == nil {
      traits.priceStaleAt = nil
    }
    return traits
  }
}
