/// What a client asks of the choice itself, beside what it asks of the model: OpenRouter's `provider` object and the
/// members beside it. Taken from the body, from the header `X-Pointsman-Controls` (one JSON object with the same
/// members), or from a preset; nothing of it is sent to the provider.
///
/// Wire format: OpenRouter's `ProviderPreferences`. A member that is not there is `nil` or empty.
public struct RequestControls: Sendable, Equatable {
  /// By what `sort` puts the endpoints in order.
  public enum SortKey: String, Sendable, CaseIterable {
    case price, throughput, latency, exacto
  }

  /// Cutoffs for percentiles of what was observed; a bare number is `p50`.
  public struct PercentileBounds: Sendable, Equatable {
    public var p50: Double?
    public var p75: Double?
    public var p90: Double?
    public var p99: Double?

    public init(p50: Double? = nil, p75: Double? = nil, p90: Double? = nil, p99: Double? = nil) {
      self.p50 = p50
      self.p75 = p75
      self.p90 = p90
      self.p99 = p99
    }
  }

  /// The most that an endpoint may cost; each part that is there must hold.
  public struct MaxPrice: Sendable, Equatable {
    /// Pico-USD per input token (10^-12 USD; 1 USD per million tokens is 1,000,000).
    public var prompt: Int64?
    /// Pico-USD per output token.
    public var completion: Int64?
    /// Pico-USD per request.
    public var request: Int64?
    /// Pico-USD per image.
    public var image: Int64?
    /// Pico-USD per audio token.
    public var audio: Int64?

    public init(
      prompt: Int64? = nil, completion: Int64? = nil, request: Int64? = nil, image: Int64? = nil, audio: Int64? = nil
    ) {
      self.prompt = prompt
      self.completion = completion
      self.request = request
      self.image = image
      self.audio = audio
    }
  }

  /// `models`: further models, in the order of preference, behind `model`.
  public var models: [String] = []
  /// `provider.order`: slugs, tried in this order before all others. Slugs are in lower case everywhere here.
  public var order: [String] = []
  /// `provider.only`: no other endpoint may be used.
  public var only: [String] = []
  /// `provider.ignore`: these endpoints may not be used.
  public var ignore: [String] = []
  /// `provider.allow_fallbacks`: false means the first choice, or those of `order`, alone.
  public var allowFallbacks: Bool?
  /// `provider.require_parameters`: true drops endpoints that do not support every parameter that was sent.
  public var requireParameters: Bool?
  /// `provider.data_collection` is `deny`: only endpoints that neither store nor train.
  public var deniesDataCollection: Bool?
  /// `provider.zdr`: only endpoints that retain nothing.
  public var zeroDataRetention: Bool?
  /// `provider.enforce_distillable_text`: only models whose author allows distillation.
  public var distillableOnly: Bool?
  /// `provider.quantizations`: none other may be used; empty means any.
  public var quantizations: Set<Quantization> = []
  /// `provider.sort`, or its `by`.
  public var sort: SortKey?
  /// `provider.sort.partition` is `none` (or the old `route` is `sort`): the endpoints of all models in one order.
  public var sortsAcrossModels: Bool?
  /// `provider.preferred_min_throughput`, in tokens per second. Endpoints below go to the end, never out.
  public var preferredMinThroughput: PercentileBounds?
  /// `provider.preferred_max_latency`, in seconds to the first token. Endpoints above go to the end, never out.
  public var preferredMaxLatency: PercentileBounds?
  /// `provider.max_price`.
  public var maxPrice: MaxPrice?
  /// `session_id` (at most 256 characters), or else `prompt_cache_key`.
  public var sessionID: String?
  /// `service_tier`.
  public var serviceTier: ServiceTier?
  /// `preset`, without the `@preset/` that stands before it in a model's name.
  public var preset: String?

  public init() {}

  /// Reads one JSON object with the members `models`, `provider`, `route`, `session_id`, `prompt_cache_key`,
  /// `service_tier` and `preset`: what a header or a preset holds. Null is as if the member was not there; any other
  /// member, type or word is an error that names it (`provider.sort.by`).
  ///
  /// Amounts of `max_price` are numbers or strings in USD: per million tokens for `prompt`, `completion` and `audio`,
  /// which six decimals give exactly in pico-USD per token; per request and per image for those, exact to twelve. What
  /// is finer is rounded to the nearest, half up.
  public static func parse(_ json: Span<UInt8>) throws(RequestError) -> RequestControls {
    try json.withJSONBytes { (bytes) throws(RequestError) in try ControlsReading.readObject(bytes) }
  }

  /// Whether nothing is asked.
  public var isEmpty: Bool { self == RequestControls() }

  /// These controls, and where one is not there, that of `base`. `only` of both are intersected and `ignore` joined by
  /// whoever reads both: here the first that is there counts.
  public func over(_ base: RequestControls) -> RequestControls {
    var merged = self
    if models.isEmpty { merged.models = base.models }
    if order.isEmpty { merged.order = base.order }
    if only.isEmpty { merged.only = base.only }
    if ignore.isEmpty { merged.ignore = base.ignore }
    merged.allowFallbacks = allowFallbacks ?? base.allowFallbacks
    merged.requireParameters = requireParameters ?? base.requireParameters
    merged.deniesDataCollection = deniesDataCollection ?? base.deniesDataCollection
    merged.zeroDataRetention = zeroDataRetention ?? base.zeroDataRetention
    merged.distillableOnly = distillableOnly ?? base.distillableOnly
    if quantizations.isEmpty { merged.quantizations = base.quantizations }
    if sort == nil {
      merged.sort = base.sort
      merged.sortsAcrossModels = sortsAcrossModels ?? base.sortsAcrossModels
    }
    merged.preferredMinThroughput = preferredMinThroughput ?? base.preferredMinThroughput
    merged.preferredMaxLatency = preferredMaxLatency ?? base.preferredMaxLatency
    merged.maxPrice = maxPrice ?? base.maxPrice
    merged.sessionID = sessionID ?? base.sessionID
    merged.serviceTier = serviceTier ?? base.serviceTier
    merged.preset = preset ?? base.preset
    return merged
  }
}

/// Controls behind one reference: most requests have none, and what is copied for each must stay small.
public final class BoxedControls: Sendable, Equatable {
  public let value: RequestControls

  public init(_ value: RequestControls) { self.value = value }

  public static func == (a: BoxedControls, b: BoxedControls) -> Bool { a.value == b.value }
}
