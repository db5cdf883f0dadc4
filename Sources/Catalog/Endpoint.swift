import Wire

/// One model at one provider at one price: the unit that is chosen.
public struct Endpoint: Sendable {
  /// The place in `RouteTable.endpoints`.
  public let index: Int
  /// `provider:upstream-model`, unique in the table and the same after every reload: what counters and breakers are
  /// kept by. A second endpoint of the same provider and upstream model, for another model, has `@model` behind it.
  public let id: String
  /// FNV-1a (64 bits) of `id`: what the shared indexes know it by.
  public let key: UInt64
  /// The place in `RouteTable.providers`.
  public let provider: Int
  /// The place in `RouteTable.models`.
  public let model: Int
  /// The provider's own name of the model.
  public let upstreamModel: String
  /// `upstreamModel` as a JSON string, quotes included, to be spliced into the request.
  public let upstreamModelJSON: [UInt8]
  /// `nil` when it is not known: unknown is not free. `prices` has what changes with the prompt or the time.
  public let price: Price?
  /// Tokens of input and output together, where known.
  public let context: Int?
  /// Tokens of output, where known.
  public let maxOutput: Int?
  public let traits: EndpointTraits
}

/// What is declared of an endpoint beside its price, by the admin or by the provider's own list. What is not declared is
/// unknown, and unknown is let through: a filter rejects only what is declared not to fit.
public struct EndpointTraits: Sendable, Equatable {
  /// The routing slug that clients name in `provider.order`, `only` and `ignore`, in lower case: the provider's name, or
  /// `provider/variant`. `nil`: the provider's name.
  public var tag: String?
  /// Which class of service this endpoint sells; `.default`, `.flex` or `.priority`.
  public var tier = ServiceTier.default
  /// Which parameters it takes; `nil` when undeclared.
  public var parameters: ParameterSet?
  /// What its messages may hold beside text; `nil` when undeclared.
  public var inputs: InputModalities?
  public var quantization = Quantization.unknown
  /// Where it runs, in lower case: a country (`us`), or a region (`us-east-1`).
  public var region: String?
  /// Whether prompts are used for training, and whether they are kept at all; `nil` when undeclared.
  public var trains: Bool?
  public var retains: Bool?
  /// Pico-USD per request and per image, beside the tokens.
  public var requestPrice: Int64 = 0
  public var imagePrice: Int64 = 0
  /// Later entries win, for each part of the price on its own.
  public var priceOverrides: [PriceOverride] = []
  /// Seconds since 1970 when a discovered price stops being current; `nil` for a price that the admin wrote.
  public var priceStaleAt: Int64?
  /// How long the provider keeps a prompt's cache after its last use.
  public var cacheLife = Duration.seconds(300)
  /// The admin's score of the model at this endpoint, from 0 to 1.
  public var quality: Double?
  /// How many requests it takes at once.
  public var concurrency: Int?
  /// How long a node of its class lives on average, as declared.
  public var nodeLife: Duration?
  /// How it is asked to carry on an answer that was cut; `nil`: not at all, as far as is known.
  public var continuation: Continuation?
  /// How its model's conversations are written, where a chat can be carried on by a longer prompt; only beside
  /// `.completion`.
  public var chatTemplate: ChatTemplate?
  /// Members to be put into every request to this endpoint, each with a comma behind it; empty for most.
  public var extraMembersJSON: [UInt8] = []

  public init() {}
}

/// A change of price for long prompts or for a time of day (OpenRouter's `pricing.overrides`). Parts that are `nil`
/// stay as they are.
public struct PriceOverride: Sendable, Equatable {
  /// Applies when the prompt has more tokens than this.
  public var minPromptTokens: Int64?
  /// Minutes since midnight UTC, half-open; `from` above `to` goes over midnight.
  public var window: Window?
  public var input: Int64?
  public var cachedInput: Int64?
  public var cacheWrite: Int64?
  public var output: Int64?

  public struct Window: Sendable, Equatable {
    public var from: Int
    public var to: Int

    public init(from: Int, to: Int) {
      self.from = from
      self.to = to
    }

    /// It never comes.
    var isEmpty: Bool { from == to }

    public func contains(minuteOfDay minute: Int) -> Bool {
      from <= to ? minute >= from && minute < to : minute >= from || minute < to
    }
  }

  public init() {}

  public func applies(promptTokens: Int64, minuteOfDay: Int) -> Bool {
    if let minPromptTokens, promptTokens <= minPromptTokens { return false }
    if let window, !window.contains(minuteOfDay: minuteOfDay) { return false }
    return true
  }
}

extension Endpoint {
  /// The price of a request with this many prompt tokens at this minute of the day (UTC).
  public func price(promptTokens: Int64, minuteOfDay: Int) -> Price? {
    guard let price, !traits.priceOverrides.isEmpty else { return price }
    var (input, cachedInput, cacheWrite, output) = (price.input, price.cachedInput, price.cacheWrite, price.output)
    var isChanged = false
    for entry in traits.priceOverrides where entry.applies(promptTokens: promptTokens, minuteOfDay: minuteOfDay) {
      input = entry.input ?? input
      cachedInput = entry.cachedInput ?? cachedInput
      cacheWrite = entry.cacheWrite ?? cacheWrite
      output = entry.output ?? output
      isChanged = true
    }
    guard isChanged else { return price }
    return Price(input: input, cachedInput: cachedInput, cacheWrite: cacheWrite, output: output)
  }

  /// Whether a slug of a client means this endpoint: its own tag always; the provider's name, or the part of the tag
  /// before a slash, only when it sells the usual tier (OpenRouter's rule).
  ///
  /// - Parameters:
  ///   - slug: in lower case.
  ///   - providerName: that of its provider, in lower case.
  public func matches(slug: String, providerName: String) -> Bool {
    let tag = traits.tag ?? providerName
    if slug == tag { return true }
    guard traits.tier == .default else { return false }
    return slug == providerName || (tag.hasPrefix(slug) && tag.dropFirst(slug.count).first == "/")
  }
}
