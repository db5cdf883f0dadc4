/// The compiled, immutable snapshot of routes.yaml that requests are served by.
///
/// Places (`Int`) refer to the arrays of the same table only. Everything that the request path needs is prepared here,
/// so that it builds no `String` and no JSON.
public final class RouteTable: Sendable {
  /// A hash of the file's text and of what was found out around it (models discovered, providers left out): it differs
  /// when the table does.
  public let revision: UInt64
  public let providers: [Provider]
  public let models: [Model]
  public let endpoints: [Endpoint]
  /// The routes as written, then the implied ones.
  public let routes: [Route]
  /// None: the public listener is open.
  public let keys: [ClientKey]
  public let listeners: Listeners
  public let presets: [Preset]
  /// The place of the endpoint with this `key`.
  public let endpointPlaces: [UInt64: Int]
  /// The header fields that rules look at, in lower case.
  public let ruleHeaders: [String]
  /// The body of `GET /v1/models`: every route that has a candidate.
  public let modelsListJSON: [UInt8]

  private let routeNames: NameIndex
  private let presetPlaces: [String: Int]
  /// Parallel to `routes`; empty for a route without a candidate.
  private let modelBodies: [[UInt8]]

  init(
    revision: UInt64, providers: [Provider], models: [Model], endpoints: [Endpoint], routes: [Route],
    keys: [ClientKey], presets: [Preset], listeners: Listeners
  ) {
    self.revision = revision
    self.providers = providers
    self.models = models
    self.endpoints = endpoints
    self.routes = routes
    self.keys = keys
    self.listeners = listeners
    self.presets = presets
    presetPlaces = Dictionary(
      presets.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    endpointPlaces = Dictionary(endpoints.map { ($0.key, $0.index) }, uniquingKeysWith: { first, _ in first })
    ruleHeaders = Set(routes.flatMap { $0.rules.flatMap { $0.condition.headers.map(\.name) } }).sorted()
    routeNames = NameIndex(routes.map(\.name))
    let list = ModelsList(providers: providers, models: models, endpoints: endpoints)
    modelBodies = routes.map(list.entry)
    modelsListJSON = ModelsList.list(of: modelBodies)
  }

  /// The place in `routes` of the route with exactly these bytes as its name.
  public func route(named name: Span<UInt8>) -> Int? {
    routeNames.find(name)
  }

  /// The place in `routes` of the route with exactly this name.
  public func route(named name: String) -> Int? {
    route(named: Array(name.utf8).span)
  }

  public func preset(named name: String) -> Preset? {
    presetPlaces[name].map { presets[$0] }
  }

  /// The body of `GET /v1/models/{id}`; `nil` for an unknown name and for a route without a candidate.
  public func modelJSON(named name: Span<UInt8>) -> [UInt8]? {
    guard let route = routeNames.find(name), !modelBodies[route].isEmpty else { return nil }
    return modelBodies[route]
  }

  /// The place in `keys` of the key with this SHA-256 digest. The time taken depends neither on which key it is nor on
  /// how much of a digest agrees: all bytes of all keys are compared.
  public func keyIndex(digest: Span<UInt8>) -> Int? {
    guard digest.count == 32 else { return nil }
    var found = 0
    for key in keys {
      var difference: UInt8 = 0
      for position in 0..<32 { difference |= key.digest[position] ^ digest[position] }
      // All ones when there is no difference, else 0; without a branch.
      let isEqual = (Int(difference) - 1) >> 8
      found |= isEqual & (key.index + 1)
    }
    return found == 0 ? nil : found - 1
  }
}
