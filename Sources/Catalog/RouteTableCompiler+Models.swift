extension RouteTableCompiler {
  mutating func compileModels() {
    for entry in file.models {
      var plan = PlannedModel(name: entry.name.value, planned: [], index: nil)
      var seen: Set<String> = []
      for endpoint in entry.endpoints {
        guard let place = providerPlaces[endpoint.provider.value] else {
          reportProvider(endpoint.provider)
          continue
        }
        usedProviders.insert(place)
        let written = endpoint.traits
        let listed = lists[place]?.model(named: endpoint.upstreamModel, tag: written.tag, tier: written.tier)
        let upstream = endpoint.namesModel ? endpoint.upstreamModel : listed?.id ?? endpoint.upstreamModel
        let variant = written.tag ?? written.tier?.rawValue ?? ""
        guard seen.insert("\(endpoint.provider.value):\(upstream) \(variant)").inserted else {
          mistakes.error(
            endpoint.mark, "model \(Wording.quoted(plan.name)) has this endpoint twice; remove one")
          continue
        }
        // The provider's own price is for what is discovered.
        let price = endpoint.price ?? (listed == nil ? nil : file.providers[place].price)
        let draft = EndpointDraft(
          entry: place, model: plan.name, upstream: upstream, listed: listed, price: price,
          context: endpoint.context ?? listed?.context, maxOutput: endpoint.maxOutput ?? listed?.maxOutput,
          traits: written)
        if draft.hasNoPrice, case .usable = states[place] {
          let message = "this endpoint has no price: its cost stays unknown; write price: { input: …, output: … }"
          mistakes.warning(endpoint.mark, message)
        }
        plan.planned.append(add(draft))
      }
      join(entry, &plan)
      if plan.planned.isEmpty, entry.endpoints.isEmpty, file.providers.contains(where: { $0.discovery?.joins == true })
      {
        let message =
          "no endpoint serves the model \(Wording.quoted(plan.name)) now: no provider with join: true lists it"
        mistakes.warning(entry.name.mark, message)
      }
      add(plan, created: entry.created, isDistillable: entry.isDistillable, quality: entry.quality)
    }
  }

  /// Adds what providers list that the file does not name there, where it asks for that.
  private mutating func join(_ entry: RoutesFile.ModelEntry, _ plan: inout PlannedModel) {
    for place in joiningProviders {
      let provider = file.providers[place]
      guard let list = lists[place], !entry.endpoints.contains(where: { $0.provider.value == provider.name.value })
      else { continue }
      let names = [plan.name] + entry.endpoints.map(\.upstreamModel)
      for found in Set(names.flatMap(list.named)).sorted() {
        usedProviders.insert(place)
        lists[place]?.joined.insert(found)
        plan.planned.append(add(EndpointDraft(entry: place, model: plan.name, list.models[found], provider.price)))
      }
    }
  }

  private mutating func reportProvider(_ name: Located<String>) {
    let hint = mistakes.suggestion(
      for: name.value, among: providerPlaces.keys.sorted(), otherwise: "; write it under providers first")
    mistakes.error(name.mark, "there is no provider \(Wording.quoted(name.value))\(hint)")
  }

  /// What is listed and did not join: models of their own, called `PROVIDER/ID`. What a provider lists several times
  /// under one id, with different tags, is one model of several endpoints.
  mutating func compileDiscovered() {
    for (place, entry) in file.providers.enumerated() where entry.discovers {
      discoveredModels[place] = []
      guard case .usable = states[place] else { continue }
      let name = Wording.quoted(entry.name.value)
      guard let list = lists[place] else {
        mistakes.warning(entry.name.mark, "the models of \(name) could not be read, so it has none now")
        continue
      }
      let unpriced = entry.price == nil ? list.models.count { $0.price == nil } : 0
      if unpriced > 0 {
        let count = unpriced == list.models.count ? "" : "\(unpriced) of \(list.models.count) "
        let message = "\(count)discovered models of \(name) have no price: their cost stays unknown"
        mistakes.warning(entry.name.mark, message + "; write price: { input: 0, output: 0 } if they cost nothing")
      }
      let stale = staleCount(list, entry)
      if stale > 0 {
        let count = stale == list.models.count ? "the" : "\(stale) of \(list.models.count)"
        let message = "\(count) discovered prices of \(name) are stale: its list was not read again in time"
        mistakes.warning(entry.name.mark, message)
      }
      var groups: [String: [Int]] = [:]
      for (found, model) in list.models.enumerated() where !list.joined.contains(found) {
        groups[model.id, default: []].append(found)
      }
      for (found, model) in list.models.enumerated() where groups[model.id]?.first == found {
        let name = "\(entry.name.value)/\(model.id)"
        guard modelPlaces[name] == nil, let group = groups[model.id] else { continue }
        let planned = group.map { add(EndpointDraft(entry: place, model: name, list.models[$0], entry.price)) }
        discoveredModels[place]?.append(plannedModels.count)
        add(PlannedModel(name: name, planned: planned, index: nil), created: model.created)
      }
    }
  }

  private func staleCount(_ list: ListedModels, _ entry: RoutesFile.ProviderEntry) -> Int {
    guard let now = inputs.unixSeconds, entry.price == nil else { return 0 }
    return list.models.count { model in model.price != nil && model.traits.priceStaleAt.map { $0 <= now } ?? false }
  }

  private mutating func add(_ draft: EndpointDraft) -> PlannedEndpoint {
    let name = file.providers[draft.entry].name.value
    let providerName = name.lowercased()
    let traits = draft.traits(over: file.providers[draft.entry].traits, providerName: providerName)
    let plainID = "\(name):\(draft.upstream)"
    var variant = traits.tag.map {
      $0.hasPrefix(providerName + "/") ? String($0.dropFirst(providerName.utf8.count + 1)) : $0
    }
    if traits.tag == providerName { variant = nil }
    var id = plainID
    if draft.isDiscovered, let own = variant {
      id += "#\(own)"
      variant = nil
    }
    while !endpointIDs.insert(id).inserted {
      id += variant.map { "#\($0)" } ?? "@\(draft.model)"
      variant = nil
    }
    var index: Int?
    if case .usable(let provider) = states[draft.entry] {
      index = endpoints.count
      endpoints.append(
        Endpoint(
          index: endpoints.count, id: id, key: FNV1a.hash(id), provider: provider, model: models.count,
          upstreamModel: draft.upstream, upstreamModelJSON: JSONText.string(draft.upstream), price: draft.price,
          context: draft.context, maxOutput: draft.maxOutput, traits: traits))
    }
    return PlannedEndpoint(id: id, plainID: plainID, tag: traits.tag, entry: draft.entry, index: index)
  }

  /// Gives the model its place; its endpoints were added right before.
  private mutating func add(
    _ plan: PlannedModel, created: Int64, isDistillable: Bool? = nil, quality: Double? = nil
  ) {
    var plan = plan
    let usable = plan.planned.compactMap(\.index)
    if !usable.isEmpty {
      plan.index = models.count
      models.append(
        Model(
          index: models.count, name: plan.name, nameJSON: JSONText.string(plan.name), endpoints: usable,
          created: created, isDistillable: isDistillable, quality: quality))
    }
    modelPlaces[plan.name] = plannedModels.count
    plannedModels.append(plan)
  }
}
