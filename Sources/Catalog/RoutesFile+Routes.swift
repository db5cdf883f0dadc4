import Wire

extension RoutesFile {
  /// `routes.NAME`
  struct RouteEntry: Sendable {
    let name: Located<String>
    var models: [Located<String>] = []
    var policy: Located<PolicyEntry>?
    var limits: LimitsEntry?
    var rules: [RuleEntry] = []
    /// From 0 to 1; `nil`: what the policy usually explores.
    var exploration: Double?
    var holdsConversations = true
    var onClientLeave = Route.ClientLeave.cancel
    var timeouts = TimeoutChanges()
    var resumes = false
    var resumeMark: SourceMark?
    var hedge: HedgeSettings?
  }

  /// One item of `routes.NAME.rules`
  struct RuleEntry: Sendable {
    let mark: SourceMark
    let name: String
    /// `condition.keys` are those of `keys`.
    var condition = RuleCondition()
    var keys: [Located<String>] = []
    /// `nil`: the route's, as with all below.
    var models: [Located<String>]?
    var policy: Located<PolicyEntry>?
    var limits: LimitsEntry?
  }

  /// `limits` of a route or a rule
  struct LimitsEntry: Sendable {
    let mark: SourceMark
    var controls = RequestControls()
    /// Those of `only` and `ignore`.
    var slugs: [Located<String>] = []
    var regions: [String] = []
    var qualityFloor: Double?
  }

  /// `policy` of a route or a rule, with the names of providers and endpoints as written.
  enum PolicyEntry: Sendable {
    case `default`
    case price
    case latency
    case throughput
    case balanced(BalancedWeights)
    case leastBusy
    /// Empty: the order of the file.
    case order([Located<String>])
    /// Empty: all the same.
    case weighted([Weight])

    struct Weight: Sendable {
      let name: Located<String>
      let value: Double
    }
  }

  /// `presets.NAME`
  struct PresetEntry: Sendable {
    let name: Located<String>
    var model: Located<String>?
    /// `controls.models` stays empty until these are looked up.
    var models: [Located<String>] = []
    var controls = RequestControls()
    /// Those of `provider.order`, `only` and `ignore`.
    var slugs: [Located<String>] = []
  }
}
