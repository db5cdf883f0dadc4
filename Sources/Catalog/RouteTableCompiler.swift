/// Puts a `RoutesFile` together: looks up what names refer to, leaves out what cannot be used now, numbers the rest.
///
/// The steps run in the order of the calls in `compile`; each uses what the ones before it left in the properties.
struct RouteTableCompiler {
  let file: RoutesFile
  let inputs: CompileInputs
  var mistakes: MistakeList

  /// What became of a provider of the file.
  enum ProviderState {
    case usable(Int)
    case leftOut
    case broken
  }

  /// An endpoint of the file or a discovered one.
  struct PlannedEndpoint {
    let id: String
    /// The place in `file.providers`.
    let entry: Int
    /// The place in `endpoints`, `nil` when its provider is left out.
    let index: Int?
  }

  /// A model of the file or a discovered one.
  struct PlannedModel {
    let name: String
    /// All, those that are left out included, so that a policy may name them.
    var planned: [PlannedEndpoint]
    /// The place in `models`, `nil` without a usable endpoint.
    var index: Int?
  }

  var states: [ProviderState] = []
  var providerPlaces: [String: Int] = [:]
  var usedProviders: Set<Int> = []
  var plannedModels: [PlannedModel] = []
  var modelPlaces: [String: Int] = [:]
  /// For each discovered provider of the file its models, as places in `plannedModels`.
  var discoveredModels: [Int: [Int]] = [:]
  var endpointIDs: Set<String> = []

  var providers: [Provider] = []
  var models: [Model] = []
  var endpoints: [Endpoint] = []
  var routes: [Route] = []

  init(file: RoutesFile, inputs: CompileInputs) {
    self.file = file
    self.inputs = inputs
    mistakes = MistakeList(file: file.name, diagnostics: file.diagnostics)
  }

  mutating func compile() -> RouteTable? {
    compileProviders()
    compileModels()
    compileDiscovered()
    compileRoutes()
    compileImpliedRoutes()
    lintProviders()
    tryTLS()
    guard !mistakes.hasErrors else { return nil }
    let keys = file.keys.enumerated().map { index, key in
      ClientKey(index: index, name: key.name.value, digest: key.digest)
    }
    return RouteTable(
      revision: revision, providers: providers, models: models, endpoints: endpoints, routes: routes, keys: keys,
      presets: [], listeners: file.listeners)
  }

  private var revision: UInt64 {
    var hash = FNV1a()
    hash.combine(Int64(bitPattern: file.textHash))
    for provider in providers {
      hash.combine(provider.chatURL.utf8)
      hash.combine(UInt8(0))
      for credential in provider.credentials {
        hash.combine(credential.reveal().utf8)
        hash.combine(UInt8(0))
      }
    }
    for endpoint in endpoints {
      hash.combine(endpoint.id.utf8)
      hash.combine(UInt8(0))
    }
    return hash.value
  }

  // MARK: - Providers

  private mutating func compileProviders() {
    let resolver = ProviderResolver(
      environment: inputs.environment, readSecret: inputs.readSecret, simulatorBaseURL: inputs.simulatorBaseURL)
    for (place, entry) in file.providers.enumerated() {
      let name = entry.name.value
      providerPlaces[name] = place
      let isSilent = inputs.unreachableOptional.contains(name) || (entry.discovers && inputs.discovered[name] == nil)
      if entry.isOptional, isSilent {
        states.append(.leftOut)
        continue
      }
      switch resolver.resolve(entry, index: providers.count, mistakes: &mistakes) {
      case .usable(let provider):
        states.append(.usable(provider.index))
        providers.append(provider)
      case .leftOut:
        states.append(.leftOut)
      case .broken:
        states.append(.broken)
      }
    }
  }

  private mutating func lintProviders() {
    for (place, entry) in file.providers.enumerated() where !entry.discovers && !usedProviders.contains(place) {
      mistakes.warning(entry.name.mark, "no endpoint uses the provider \(Wording.quoted(entry.name.value))")
    }
  }

  private mutating func tryTLS() {
    guard let files = file.listeners.public.tls, let mistake = inputs.tryTLS(files) else { return }
    let (mark, path) = mistake.isKey ? (files.keyMark, files.key) : (files.certificateMark, files.certificate)
    let what = mistake.isKey ? "private key, in PEM and without a password" : "certificate chain, in PEM"
    mistakes.error(mark, "\(Wording.quoted(path)) cannot be used as the \(what): \(mistake.reason)")
  }

  // MARK: - Models

  private mutating func compileModels() {
    for entry in file.models {
      var plan = PlannedModel(name: entry.name.value, planned: [], index: nil)
      var seen: Set<String> = []
      for endpoint in entry.endpoints {
        guard let place = providerPlaces[endpoint.provider.value] else {
          reportProvider(endpoint.provider)
          continue
        }
        usedProviders.insert(place)
        guard seen.insert("\(endpoint.provider.value):\(endpoint.upstreamModel)").inserted else {
          mistakes.error(
            endpoint.mark, "model \(Wording.quoted(plan.name)) has this endpoint twice; remove one")
          continue
        }
        if !endpoint.hasPrice, case .usable = states[place] {
          let message = "this endpoint has no price: its cost stays unknown; write price: { input: …, output: … }"
          mistakes.warning(endpoint.mark, message)
        }
        plan.planned.append(
          add(
            entry: place, model: plan.name, upstream: endpoint.upstreamModel, price: endpoint.price,
            context: endpoint.context, maxOutput: endpoint.maxOutput))
      }
      add(plan, created: entry.created)
    }
  }

  private mutating func reportProvider(_ name: Located<String>) {
    let hint = mistakes.suggestion(
      for: name.value, among: providerPlaces.keys.sorted(), otherwise: "; write it under providers first")
    mistakes.error(name.mark, "there is no provider \(Wording.quoted(name.value))\(hint)")
  }

  /// The ids come from the network: what is no fit name is left out, and there is an end.
  private mutating func compileDiscovered() {
    for (place, entry) in file.providers.enumerated() where entry.discovers {
      discoveredModels[place] = []
      guard case .usable = states[place] else { continue }
      guard let ids = inputs.discovered[entry.name.value] else {
        let message = "the models of \(Wording.quoted(entry.name.value)) could not be read, so it has none now"
        mistakes.warning(entry.name.mark, message)
        continue
      }
      if entry.price == nil, !ids.isEmpty {
        let message = "discovered models of \(Wording.quoted(entry.name.value)) have no price: their cost stays unknown"
        mistakes.warning(entry.name.mark, message + "; write price: { input: 0, output: 0 } if they cost nothing")
      }
      for model in ids.prefix(10_000) where Self.isFit(model.id) {
        let id = model.id
        let name = "\(entry.name.value)/\(id)"
        guard modelPlaces[name] == nil else { continue }
        let endpoint = add(entry: place, model: name, upstream: id, price: entry.price, context: nil, maxOutput: nil)
        discoveredModels[place]?.append(plannedModels.count)
        add(PlannedModel(name: name, planned: [endpoint], index: nil), created: 0)
      }
    }
  }

  private static func isFit(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.count <= NameIndex.longestName / 2
      && id.unicodeScalars.allSatisfy { $0.value > 0x20 && !(0x7f...0xa0).contains($0.value) && $0 != "*" }
  }

  private mutating func add(
    entry: Int, model: String, upstream: String, price: Price?, context: Int?, maxOutput: Int?
  ) -> PlannedEndpoint {
    var id = "\(file.providers[entry].name.value):\(upstream)"
    while !endpointIDs.insert(id).inserted { id += "@\(model)" }
    guard case .usable(let provider) = states[entry] else { return PlannedEndpoint(id: id, entry: entry, index: nil) }
    let index = endpoints.count
    endpoints.append(
      Endpoint(
        index: index, id: id, key: FNV1a.hash(id), provider: provider, model: models.count, upstreamModel: upstream,
        upstreamModelJSON: JSONText.string(upstream), price: price, context: context, maxOutput: maxOutput,
        traits: EndpointTraits()))
    return PlannedEndpoint(id: id, entry: entry, index: index)
  }

  /// Gives the model its place; its endpoints were added right before.
  private mutating func add(_ plan: PlannedModel, created: Int64) {
    var plan = plan
    let usable = plan.planned.compactMap(\.index)
    if !usable.isEmpty {
      plan.index = models.count
      models.append(
        Model(
          index: models.count, name: plan.name, nameJSON: JSONText.string(plan.name), endpoints: usable,
          created: created, isDistillable: nil, quality: nil))
    }
    modelPlaces[plan.name] = plannedModels.count
    plannedModels.append(plan)
  }
}
