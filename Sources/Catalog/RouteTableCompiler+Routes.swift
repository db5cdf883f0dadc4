extension RouteTableCompiler {
  mutating func compileRoutes() {
    for entry in file.routes {
      let plans = plans(of: entry)
      let (places, tiers, droppedSimulated) = tiers(of: plans)
      let candidates = tiers.flatMap { $0 }
      if droppedSimulated {
        let message =
          "route \(Wording.quoted(entry.name.value)) has a real endpoint, so its simulated ones are left out"
        mistakes.warning(entry.name.mark, message)
      } else if candidates.isEmpty, !plans.isEmpty, !mistakes.hasErrors {
        mistakes.warning(
          entry.name.mark, "route \(Wording.quoted(entry.name.value)) has no endpoint that can be used now")
      }
      routes.append(
        Route(
          index: routes.count, name: entry.name.value, isImplied: false,
          plan: RoutePlan(
            models: places, tiers: tiers, candidates: candidates, policy: policy(of: entry, plans, candidates),
            limits: RouteLimits()), rules: [], onClientLeave: entry.onClientLeave, timeouts: entry.timeouts))
    }
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
            models: places, tiers: tiers, candidates: tiers.flatMap { $0 }, policy: .default, limits: RouteLimits()),
          rules: [], onClientLeave: .cancel, timeouts: TimeoutChanges()))
    }
  }

  /// The models that a route names, `PROVIDER/*` replaced by what was discovered, each once.
  private mutating func plans(of entry: RoutesFile.RouteEntry) -> [PlannedModel] {
    var plans: [PlannedModel] = []
    var seen: Set<Int> = []
    for model in entry.models {
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
  private func discoveredProvider(of name: String) -> String? {
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

  // MARK: - Policies

  private mutating func policy(
    of entry: RoutesFile.RouteEntry, _ plans: [PlannedModel], _ candidates: [Int]
  ) -> SelectionPolicySpec {
    switch entry.policy {
    case .default:
      return .default
    case .order(let names):
      let meanings = meanings(plans, Set(candidates))
      var order: [Int] = []
      var seen: Set<Int> = []
      for name in names {
        for endpoint in look(up: name, in: meanings, of: entry) where seen.insert(endpoint).inserted {
          order.append(endpoint)
        }
      }
      return .order(order + candidates.filter { !seen.contains($0) })
    case .weighted(let weights):
      let meanings = meanings(plans, Set(candidates))
      return .weighted(compile(weights, meanings, of: entry, candidates))
    }
  }

  /// A provider's weight is shared by its endpoints; an endpoint's own weight goes before its provider's. When none of
  /// those with a weight can be used now, all are equal.
  private mutating func compile(
    _ weights: [RoutesFile.PolicyEntry.Weight], _ meanings: [String: [Int]], of entry: RoutesFile.RouteEntry,
    _ candidates: [Int]
  ) -> [Double] {
    var own: [Int: Double] = [:]
    var shared: [Int: Double] = [:]
    for weight in weights {
      let meant = look(up: weight.name, in: meanings, of: entry)
      if providerPlaces[weight.name.value] == nil {
        for endpoint in meant { own[endpoint] = weight.value }
      } else {
        for endpoint in meant { shared[endpoint] = weight.value / Double(meant.count) }
      }
    }
    let result = candidates.map { own[$0] ?? shared[$0] ?? 0 }
    return result.contains { $0 > 0 } ? result : result.map { _ in 1 }
  }

  /// The candidates that each endpoint id and each provider name stands for in a route; none for what is left out now.
  private func meanings(_ plans: [PlannedModel], _ candidates: Set<Int>) -> [String: [Int]] {
    var meanings: [String: [Int]] = [:]
    for endpoint in plans.lazy.flatMap(\.planned) {
      let usable = endpoint.index.flatMap { candidates.contains($0) ? [$0] : nil } ?? []
      meanings[endpoint.id, default: []] += usable
      meanings[file.providers[endpoint.entry].name.value, default: []] += usable
    }
    return meanings
  }

  private mutating func look(
    up name: Located<String>, in meanings: [String: [Int]], of entry: RoutesFile.RouteEntry
  ) -> [Int] {
    if let meant = meanings[name.value] { return meant }
    // A discovered provider's models come and go.
    let provider = String(name.value.prefix { $0 != ":" })
    if let place = providerPlaces[provider], file.providers[place].discovers,
      entry.models.contains(where: { $0.value.hasPrefix(provider + "/") })
    {
      return []
    }
    let known = meanings.keys.sorted()
    let hint = mistakes.suggestion(
      for: name.value, among: known,
      otherwise: known.isEmpty ? "" : "; it has \(known.prefix(6).joined(separator: ", "))")
    let message = "route \(Wording.quoted(entry.name.value)) has no endpoint or provider \(Wording.quoted(name.value))"
    mistakes.error(name.mark, message + hint)
    return []
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
