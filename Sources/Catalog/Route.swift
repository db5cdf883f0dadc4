import Wire

/// The model name that a client types, its rules, its models and its policy.
public final class Route: Sendable {
  /// The place in `RouteTable.routes`.
  public let index: Int
  public let name: String
  /// Not written in the file: a model's own name is a route too.
  public let isImplied: Bool
  /// What is done when no rule matches.
  public let plan: RoutePlan
  /// In the order of the file; the first whose condition holds decides.
  public let rules: [RouteRule]
  public let onClientLeave: ClientLeave
  /// Deadlines that differ from the provider's.
  public let timeouts: TimeoutChanges
  /// Whether a stream that was cut behind its first content is carried on by another endpoint of the same model; a
  /// request may say otherwise.
  public let resumes: Bool
  /// `nil`: a late first token is waited for.
  public let hedge: HedgeSettings?

  init(
    index: Int, name: String, isImplied: Bool, plan: RoutePlan, rules: [RouteRule] = [],
    onClientLeave: ClientLeave = .cancel, timeouts: TimeoutChanges = TimeoutChanges(), resumes: Bool = false,
    hedge: HedgeSettings? = nil
  ) {
    self.index = index
    self.name = name
    self.isImplied = isImplied
    self.plan = plan
    self.rules = rules
    self.onClientLeave = onClientLeave
    self.timeouts = timeouts
    self.resumes = resumes
    self.hedge = hedge
  }

  /// What happens to the attempt when its client leaves.
  public enum ClientLeave: Sendable, Equatable {
    /// Cut at once.
    case cancel
    /// Read on, to learn the true usage, for at most this long.
    case drain(Duration)
  }

  public var models: [Int] { plan.models }
  public var tiers: [[Int]] { plan.tiers }
  public var candidates: [Int] { plan.candidates }
  public var policy: SelectionPolicySpec { plan.policy }
}

/// From which endpoints a request is served, and how among them one is chosen.
public final class RoutePlan: Sendable {
  /// Places in `RouteTable.models`, in the order of preference.
  public let models: [Int]
  /// For each of `models` the places of its usable endpoints in `RouteTable.endpoints`, in the order of the file.
  public let tiers: [[Int]]
  /// All of `tiers`, one after the other.
  public let candidates: [Int]
  public let policy: SelectionPolicySpec
  public let limits: RouteLimits

  init(models: [Int], tiers: [[Int]], candidates: [Int], policy: SelectionPolicySpec, limits: RouteLimits) {
    self.models = models
    self.tiers = tiers
    self.candidates = candidates
    self.policy = policy
    self.limits = limits
  }
}

/// What the admin demands of every endpoint of a route. A request's own controls can only make it narrower.
public struct RouteLimits: Sendable, Equatable {
  /// Of these only `only`, `ignore`, `allowFallbacks`, `requireParameters`, `deniesDataCollection`,
  /// `zeroDataRetention`, `distillableOnly`, `quantizations` and `maxPrice` are limits; the others stay unset.
  public var controls: RequestControls {
    get { boxedControls?.value ?? RequestControls() }
    set { boxedControls = newValue.isEmpty ? nil : BoxedControls(newValue) }
  }
  private var boxedControls: BoxedControls?
  /// Whether `controls` demand anything.
  public var hasControls: Bool { boxedControls != nil }
  /// Regions that may be used, in lower case; empty means any. `us` admits `us-east-1`.
  public var regions: [String] = []
  /// The least declared quality score, from 0 to 1, that an endpoint with a score must have.
  public var qualityFloor: Double?
  /// Which share of the requests may go to an endpoint that has not been heard of for five minutes, so that what is
  /// known of it stays true.
  public var exploration = 0.0
  /// Whether a conversation stays where its prompt cache is while that is cheaper.
  public var holdsConversations = true

  public init() {}
}

/// A rule of a route: when its condition holds, its plan is used instead of the route's.
public struct RouteRule: Sendable {
  /// The name in the file, or `rule 1`, `rule 2` …; what the ledger and `explain` call it.
  public let name: String
  public let condition: RuleCondition
  public let plan: RoutePlan
}

/// What a rule's `when:` asks; every part that is there must hold.
public struct RuleCondition: Sendable, Equatable {
  /// Bounds on the estimated prompt tokens, both included.
  public var minPromptTokens: Int64?
  public var maxPromptTokens: Int64?
  public var hasTools: Bool?
  public var hasImages: Bool?
  /// Whether `response_format` asks for JSON.
  public var isStructured: Bool?
  public var isStreamed: Bool?
  /// Names of client keys, of which one must be the request's.
  public var keys: [String] = []
  /// Tags of the request (`X-Pointsman-Tags`), of which one must be there.
  public var tags: [String] = []
  /// Header fields, names in lower case, with the exact value each must have.
  public var headers: [Header] = []
  /// A time of day in UTC.
  public var window: PriceOverride.Window?

  public struct Header: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  public init() {}
}

/// Controls under a name: `@preset/NAME`.
public struct Preset: Sendable {
  public let name: String
  /// The route or model that it stands for, when the client names none beside it.
  public let model: String?
  public let controls: RequestControls
}

/// How a route chooses among its candidates, ready to be used.
public enum SelectionPolicySpec: Sendable, Equatable {
  /// Inverse square of price among the stable ones.
  case `default`
  /// Lowest expected cost of this request first.
  case price
  /// Shortest expected time to the first token first.
  case latency
  /// Most tokens per second first.
  case throughput
  case balanced(BalancedWeights)
  /// Fewest running requests first.
  case leastBusy
  /// Places in `RouteTable.endpoints`: all candidates of the route, the named ones first, the others in their order.
  case order([Int])
  /// Parallel to `RoutePlan.candidates`; not negative, at least one above 0. A candidate of weight 0 is only a fallback.
  case weighted([Double])
}

/// How much each side of an endpoint counts in the `balanced` policy; not negative, their sum above 0.
public struct BalancedWeights: Sendable, Equatable {
  public var price = 0.6
  public var latency = 0.15
  public var throughput = 0.15
  public var availability = 0.5
  public var quality = 0.1

  public init() {}
}
