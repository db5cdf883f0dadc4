import Wire

/// Why an endpoint may not serve a request.
public enum Rejection: Sendable, Equatable {
  /// Who set the limit: the route, in routes.yaml, or the request.
  public enum Source: String, Sendable { case route, request }

  case tier(ServiceTier)
  case notFree
  case parameters(ParameterSet)
  case modalities(InputModalities)
  case context(has: Int64, needs: Int64)
  case maxOutput(has: Int64, needs: Int64)
  case full(concurrency: Int)
  case quantization(Quantization, Source)
  case dataCollection(Source)
  case dataRetention(Source)
  case distillation(Source)
  case priceUnknown(Source)
  /// Pico-USD per token, or per request or image.
  case price(part: String, has: Double, most: Double, Source)
  case quality(has: Double, least: Double)
  case region(String?)
  case notOnly(Source)
  case ignored(Source)
  /// `allow_fallbacks` is false and another endpoint comes before it.
  case noFallbacks(Source)

  /// In words for people; says what to change.
  public var reason: String {
    switch self {
    case .tier(let tier): "sells the \(tier.rawValue) tier, which was not asked for (service_tier, or its own slug)"
    case .notFree: "is not free, and :free was asked for"
    case .parameters(let missing): "does not support \(missing.listed.joined(separator: ", "))"
    case .modalities(let missing): "does not take \(missing.listed.joined(separator: ", ")) input"
    case .context(let has, let needs): "has a context of \(has) tokens; the request needs about \(needs)"
    case .maxOutput(let has, let needs): "answers with at most \(has) tokens; max_tokens asks for \(needs)"
    case .full(let concurrency): "is full: \(concurrency) requests run there already"
    case .quantization(let has, let source): "has quantization \(has.rawValue), which the \(source.rawValue) excludes"
    case .dataCollection(let source):
      "is not declared free of training and storing, and the \(source.rawValue) has data_collection: deny"
    case .dataRetention(let source): "is not declared to retain nothing, and the \(source.rawValue) has zdr: true"
    case .distillation(let source):
      "serves a model not declared distillable, and the \(source.rawValue) has enforce_distillable_text"
    case .priceUnknown(let source): "has no known price, and the \(source.rawValue) has a max_price"
    case .price(let part, let has, let most, let source):
      "costs \(Self.usd(has, part)) for \(part); the \(source.rawValue)'s max_price is \(Self.usd(most, part))"
    case .quality(let has, let least): "has quality \(Self.short(has)), below the route's floor of \(Self.short(least))"
    case .region(let region): "is in \(region ?? "no declared region"), outside the route's regions"
    case .notOnly(let source): "is not among the \(source.rawValue)'s `only`"
    case .ignored(let source): "is in the \(source.rawValue)'s `ignore`"
    case .noFallbacks(let source): "would be a fallback, and the \(source.rawValue) has allow_fallbacks: false"
    }
  }

  /// OpenRouter's word for the limit (`availability.excluded_by`), or ours where it has none.
  public var code: String {
    switch self {
    case .tier: "service_tier"
    case .notFree: "free"
    case .parameters: "require_parameters"
    case .modalities: "modality"
    case .context: "context_length"
    case .maxOutput: "max_tokens"
    case .full: "capacity"
    case .quantization: "quantization"
    case .dataCollection: "data_policy:training"
    case .dataRetention: "data_policy:zdr"
    case .distillation: "distillation"
    case .priceUnknown, .price: "max_price"
    case .quality: "quality"
    case .region: "data_region"
    case .notOnly, .ignored: "allowed_providers"
    case .noFallbacks: "allow_fallbacks"
    }
  }

  /// Whether waiting may help.
  public var isTemporary: Bool {
    if case .full = self { true } else { false }
  }

  private static func usd(_ pico: Double, _ part: String) -> String {
    part == "request" || part == "image" ? "$\(short(pico / 1e12))" : "$\(short(pico / 1e6)) per million"
  }

  /// At most six decimals, no zeros at the end.
  static func short(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    let millionths = Int64((abs(value) * 1e6).rounded())
    var fraction = Substring(String(1_000_000 + millionths % 1_000_000).dropFirst())
    while fraction.last == "0" { fraction.removeLast() }
    let whole = "\(value < 0 ? "-" : "")\(millionths / 1_000_000)"
    return fraction.isEmpty ? whole : "\(whole).\(fraction)"
  }
}
