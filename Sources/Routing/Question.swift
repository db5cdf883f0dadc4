import Catalog
import Wire

/// What one request asks of the choice. Pure values: nothing in here is looked up again.
public struct Question: Sendable {
  /// The place in `RouteTable.routes`.
  public var route: Int
  /// The place in the route's `rules` of the one that matched; `nil` for the route's own plan.
  public var rule: Int?
  /// Further routes (places), behind the first: the request's `models`.
  public var fallbackRoutes: [Int] = []
  /// What the client asked of the choice, over what its preset asks; `nil` when nothing.
  public var controls: RequestControls? {
    get { boxedControls?.value }
    set { boxedControls = newValue.map(BoxedControls.init) }
  }
  private var boxedControls: BoxedControls?
  /// The suffix of the model's name.
  public var variant: ModelVariant?
  /// Prompt tokens, estimated; and by which share the truth may differ.
  public var promptTokens: Int64 = 0
  public var promptSpread = 0.3
  /// `max_tokens` of the request.
  public var maxOutput: Int64?
  /// Output tokens to expect.
  public var expectedOutput = 300.0
  public var parameters: ParameterSet = []
  public var modalities: InputModalities = []
  public var mediaCount = 0
  public var isStreamed = true
  public var hasCacheMarkers = false
  /// Minutes since midnight UTC: prices may depend on it.
  public var minuteOfDay = 0
  /// Seconds since 1970: a price may be stale.
  public var unixSeconds: Int64 = 0
  /// What endpoints hold of this conversation; empty when it is new.
  public var held: [HeldPrefix] = []
  /// How many further turns of this conversation are to be expected: what is paid now for a cache is used by them.
  public var furtherTurns = 0.0
  /// The history holds reasoning that only its maker accepts.
  public var hasReasoningSignatures = false

  public init(route: Int) {
    self.route = route
  }
}

/// A suffix of a model's name that changes the choice (OpenRouter's dynamic variants, and `:free`).
public enum ModelVariant: String, Sendable, CaseIterable {
  /// By throughput; priority endpoints too.
  case nitro
  /// By price; flex endpoints too.
  case floor
  /// Endpoints that cost nothing.
  case free
  /// By the quality of tool calls.
  case exacto
}
