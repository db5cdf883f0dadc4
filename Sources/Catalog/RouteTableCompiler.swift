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
    /// `provider:upstream-model`, which several endpoints may share.
    let plainID: String
    /// What clients call it; `nil`: as its provider.
    let tag: String?
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
  /// For each provider of the file that can be used and was asked: what it listed.
  var lists: [Int: ListedModels] = [:]
  /// What the routes and rules of the file became, for `lint`.
  var plans: [PlannedPlan] = []

  var providers: [Provider] = []
  var models: [Model] = []
  var endpoints: [Endpoint] = []
  var routes: [Route] = []
  var presets: [Preset] = []

  /// Places in `file.providers` of those whose listed models join the file's.
  let joiningProviders: [Int]

  init(file: RoutesFile, inputs: CompileInputs) {
    self.file = file
    joiningProviders = file.providers.indices.filter { file.providers[$0].discovery?.joins == true }
    self.inputs = inputs
    mistakes = MistakeList(file: file.name, diagnostics: file.diagnostics)
  }

  mutating func compile() -> RouteTable? {
    compileProviders()
    compileModels()
    compileDiscovered()
    compileRoutes()
    compileImpliedRoutes()
    compilePresets()
    lintProviders()
    tryTLS()
    if !mistakes.hasErrors { lint() }
    guard !mistakes.hasErrors else { return nil }
    let keys = file.keys.enumerated().map { index, key in
      ClientKey(index: index, name: key.name.value, digest: key.digest, concurrency: key.concurrency)
    }
    return RouteTable(
      revision: revision, providers: providers, models: models, endpoints: endpoints, routes: routes, keys: keys,
      presets: presets, listeners: file.listeners)
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
    for endpoint in endpoints { endpoint.combine(into: &hash) }
    for model in models { hash.combine(model.created) }
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
        if entry.discovers, let listed = inputs.discovered[name] { lists[place] = ListedModels(listed) }
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
}
