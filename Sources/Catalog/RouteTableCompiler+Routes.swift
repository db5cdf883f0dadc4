import Wire

/// What a plan of a route or a rule is made of, kept so that it can be looked at once all is known.
struct PlannedPlan {
  /// `route "chat"`, or `rule "long" of route "chat"`
  let title: String
  /// Where the route or the rule stands.
  let mark: SourceMark
  let policyMark: SourceMark?
  /// The limits that stand at this route or rule itself.
  let limits: RoutesFile.LimitsEntry?
  /// `nil` for a route's own.
  let condition: RuleCondition?
  let plan: RoutePlan
}

extension RouteTableCompiler {
  mutating func compileRoutes() {
    for entry in file.routes {
      let title = "route \(Wording.quoted(entry.name.value))"
      let models = plans(of: entry.models)
      let (places, tiers, droppedSimulated) = tiers(of: models)
      let candidates = tiers.flatMap { $0 }
      if droppedSimulated {
        mistakes.warning(entry.name.mark, "\(title) has a real endpoint, so its simulated ones are left out")
      } else if candidates.isEmpty, !models.isEmpty, !mistakes.hasErrors {
        mistakes.warning(entry.name.mark, "\(title) has no endpoint that can be used now")
      }
      let names = PolicyNames(title: title, models: entry.models, reports: true)
      let plan = RoutePlan(
        models: places, tiers: tiers, candidates: candidates,
        policy: policy(entry.policy?.value, names, models, candidates),
        limits: limits(entry.limits, entry, entry.policy?.value))
      plans.append(
        PlannedPlan(
          title: title, mark: entry.name.mark, policyMark: entry.policy?.mark, limits: entry.limits, condition: nil,
          plan: plan))
      let rules = entry.rules.map { compile($0, of: entry, models) }
      lintRules(entry)
      routes.append(
        Route(
          index: routes.count, name: entry.name.value, isImplied: false, plan: plan, rules: rules,
          onClientLeave: entry.onClientLeave, timeouts: entry.timeouts, resumes: entry.resumes, hedge: entry.hedge))
      lintResume(entry, routes[routes.count - 1])
    }
  }

  /// What a rule does not name it takes from its route.
  private mutating func compile(
    _ rule: RoutesFile.RuleEntry, of entry: RoutesFile.RouteEntry, _ routeModels: [PlannedModel]
  ) -> RouteRule {
    let title = "rule \(Wording.quoted(rule.name)) of route \(Wording.quoted(entry.name.value))"
    for key in rule.keys where !file.keys.contains(where: { $0.name.value == key.value }) {
      let hint = mistakes.suggestion(
        for: key.value, among: file.keys.map(\.name.value), otherwise: "; write it under keys first")
      mistakes.error(key.mark, "there is no client key \(Wording.quoted(key.value))\(hint)")
    }
    let models = rule.models.map { plans(of: $0) } ?? routeModels
    let (places, tiers, _) = tiers(of: models)
    let candidates = tiers.flatMap { $0 }
    if rule.models != nil, candidates.isEmpty, !models.isEmpty, !mistakes.hasErrors {
      mistakes.warning(rule.mark, "\(title) has no endpoint that can be used now")
    }
    let names = PolicyNames(title: title, models: rule.models ?? entry.models, reports: rule.policy != nil)
    let policyEntry = rule.policy?.value ?? entry.policy?.value
    let limitsEntry = rule.limits ?? entry.limits
    let plan = RoutePlan(
      models: places, tiers: tiers, candidates: candidates, policy: policy(policyEntry, names, models, candidates),
      limits: limits(limitsEntry, entry, policyEntry))
    plans.append(
      PlannedPlan(
        title: title, mark: rule.mark, policyMark: rule.policy?.mark, limits: rule.limits, condition: rule.condition,
        plan: plan))
    return RouteRule(name: rule.name, condition: rule.condition, plan: plan)
  }

  private func limits(
    _ written: RoutesFile.LimitsEntry?, _ entry: RoutesFile.RouteEntry, _ policy: RoutesFile.PolicyEntry?
  ) -> RouteLimits {
    var limits = RouteLimits()
    if let written {
      limits.controls = written.controls
      limits.regions = written.regions
      limits.qualityFloor = written.qualityFloor
    }
    limits.holdsConversations = entry.holdsConversations
    switch policy {
    case .latency, .throughput, .balanced: limits.exploration = entry.exploration ?? 0.01
    default: limits.exploration = entry.exploration ?? 0
    }
    return limits
  }

  /// A model's own name is a route too, unless a route of that name is written.
  mutating func compileImpliedRoutes() {
    let written = Set(file.routes.map(\.name.value))
    for plan in plannedModels where plan.index != nil && !written.contains(plan.name) {
      let (places, tiers, _) = tiers(of: [plan])
      routes.append(
        Route(
          index: routes.count, name: plan.name, isImplied: true,
          plan: RoutePlan(
            models: places, tiers: tiers, candidates: tiers.flatMap { $0 }, policy: .default, limits: RouteLimits())))
    }
  }

  /// The models that a route or a rule names, `PROVIDER/*` replaced by what was discovered, each once.
  private mutating func plans(of models: [Located<String>]) -> [PlannedModel] {
    var plans: [PlannedModel] = []
    var seen: Set<Int> = []
    for model in models {
      if model.value.hasSuffix("/*") {
        for place in discovered(model) where seen.insert(place).inserted { plans.append(plannedModels[place]) }
      } else if let place = modelPlaces[model.value] {
        guard seen.insert(place).inserted else {
          mistakes.error(model.mark, "model \(Wording.quoted(model.value)) is in this route twice; remove one")
          continue
        }
        plans.append(plannedModels[place])
      } else if let provider = discoveredProvider(of: model.value) {
        if inputs.discovered[provider] != nil {
          mistakes.warning(model.mark, "\(Wording.quoted(provider)) does not have this model now")
        }
      } else {
        let hint = mistakes.suggestion(
          for: model.value, among: modelPlaces.keys.sorted(), otherwise: "; write it under models first")
        mistakes.error(model.mark, "there is no model \(Wording.quoted(model.value))\(hint)")
      }
    }
    return plans
  }

  private mutating func discovered(_ pattern: Located<String>) -> [Int] {
    let name = String(pattern.value.dropLast(2))
    guard let place = providerPlaces[name] else {
      let hint = mistakes.suggestion(
        for: name, among: providerPlaces.keys.sorted(), otherwise: "; a * stands for the models of one provider")
      mistakes.error(pattern.mark, "there is no provider \(Wording.quoted(name))\(hint)")
      return []
    }
    guard let models = discoveredModels[place] else {
      mistakes.error(pattern.mark, "the models of \(Wording.quoted(name)) are not discovered; set discover: true there")
      return []
    }
    return models
  }

  /// The provider of `PROVIDER/…`, when its models are discovered: it may have that model at another time.
  func discoveredProvider(of name: String) -> String? {
    guard let slash = name.firstIndex(of: "/"), let place = providerPlaces[String(name[..<slash])] else { return nil }
    return file.providers[place].discovers ? file.providers[place].name.value : nil
  }

  /// The usable endpoints of each model, those of simulated providers only when there are no others.
  private func tiers(of plans: [PlannedModel]) -> (models: [Int], tiers: [[Int]], droppedSimulated: Bool) {
    func isReal(_ endpoint: Int) -> Bool { !providers[endpoints[endpoint].provider].isSimulated }
    let all = plans.map { $0.planned.compactMap(\.index) }
    let hasReal = all.contains { $0.contains(where: isReal) }
    var models: [Int] = []
    var tiers: [[Int]] = []
    for (plan, usable) in zip(plans, all) {
      let kept = hasReal ? usable.filter(isReal) : usable
      guard let index = plan.index, !kept.isEmpty else { continue }
      models.append(index)
      tiers.append(kept)
    }
    return (models, tiers, hasReal && all.contains { !$0.allSatisfy(isReal) })
  }
}

extension RouteTable {
  /// Compiles `file`; the table is `nil` when there is an error.
  ///
  /// The diagnostics are all of the file's, those of `RoutesFile.parse` included, in the order of lines.
  public static func compile(
    _ file: RoutesFile, _ inputs: CompileInputs
  ) -> (table: RouteTable?, diagnostics: [Diagnostic]) {
    var compiler = RouteTableCompiler(file: file, inputs: inputs)
    let table = compiler.compile()
    return (table, compiler.mistakes.sorted)
  }
}
