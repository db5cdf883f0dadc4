import Catalog

/// What a failed attempt speaks against.
public enum FaultScope: Sendable {
  case endpoint
  /// No connection, TLS, refused credentials, an overloaded provider: counts against the provider too.
  case provider
}

/// What all loops know of each endpoint's state at this moment, and share of each route's budgets. Atomic cells, shared
/// by every loop and by the tables before and after a reload: a map per loop would let each loop rediscover an outage for
/// itself, or let all of them together overrun a limit. Places are those of the table.
///
/// One failure of an endpoint that answers others is no outage: a sound provider fails one request in a hundred, and each
/// conversation that leaves its cache for that pays its prompt again. An outage is a second failure with no success in
/// between, or the first when no success vouches for the endpoint (see `Breaker`). Then it is left alone for 2, 4, 8, 16,
/// 20 s, each time until one request tries it and fails again. The judge of the simulator shows what this is worth.
public final class EndpointHealth: Sendable {
  /// One that returns from an outage gets its full share only after this long.
  public static let returnRamp: UInt64 = 30_000_000_000
  /// A provider's own word on when to come back is believed up to a day.
  static let longestWait: UInt64 = 86_400_000_000_000

  let cells: [EndpointCell]
  /// The same, for one who only looks: a decision looks at a thousand, and counts no references for it.
  private let looked: [Unmanaged<EndpointCell>]
  /// For each endpoint the keys of its provider, in the order of `Provider.credentials`; one for a provider without any.
  let keys: [[KeyAtEndpoint]]
  let routes: [RouteCell]
  let events: HealthEvents

  /// With nothing known yet.
  public convenience init(_ table: RouteTable) {
    self.init(table, Earlier(nil), HealthEvents())
  }

  /// Both share what they know of an endpoint (the same by its id), a provider (by its name), a key and a route (by its
  /// name), so running completions go on teaching it.
  public convenience init(_ table: RouteTable, after earlier: EndpointHealth) {
    self.init(table, Earlier(earlier), earlier.events)
  }

  private init(_ table: RouteTable, _ earlier: Earlier, _ events: HealthEvents) {
    let providers = table.providers.map { earlier.providers[$0.name] ?? ProviderCell(name: $0.name) }
    let providerKeys = zip(table.providers, providers).map { provider, cell in
      Self.hashes(of: provider).map { hash in
        earlier.keys[cell.name]?[hash] ?? KeyCell(hash: hash)
      }
    }
    cells = table.endpoints.map { endpoint in
      let provider = providers[endpoint.provider]
      // An id begins with the provider's name: the same endpoint has the same provider.
      return earlier.cells[endpoint.id]?.cell
        ?? EndpointCell(id: endpoint.id, key: endpoint.key, provider: provider)
    }
    looked = cells.map { Unmanaged.passUnretained($0) }
    keys = table.endpoints.map { endpoint in
      let known = earlier.cells[endpoint.id]?.keys ?? []
      return providerKeys[endpoint.provider].map { key in known.first { $0.key === key } ?? KeyAtEndpoint(key) }
    }
    routes = table.routes.map { earlier.routes[$0.name] ?? RouteCell(name: $0.name) }
    self.events = events
  }

  /// Seeded anew in each process, so that nothing can be made of it elsewhere.
  private static func hashes(of provider: Provider) -> [Int] {
    if provider.credentials.isEmpty { return ["".hashValue] }
    return provider.credentials.prefix(mostKeys).map { $0.reveal().hashValue }
  }

  /// Right before an attempt is sent. `.granted`: the endpoint is in no outage. `.probe`: it is in one, and this attempt is
  /// the one that shows whether it is over; it must end in `record` or in `releaseProbe`. `.refused`: it is out, or its one
  /// probe is under way.
  public enum Admission: Sendable { case granted, probe, refused }

  public func admit(endpoint: Int, now: UInt64) -> Admission {
    guard cells.indices.contains(endpoint) else { return .granted }
    let cell = cells[endpoint]
    let provider = cell.provider
    if provider.breaker.breaker.isOut(now) { return .refused }
    let own = cell.breaker.takeProbe(now)
    if own == .refused { return .refused }
    switch provider.breaker.takeProbe(now) {
    case .notNeeded:
      return own == .taken ? .probe : .granted
    case .taken:
      provider.prober.store(cell.key, ordering: .relaxed)
      return .probe
    case .refused:
      if own == .taken { cell.breaker.releaseProbe() }
      return .refused
    }
  }

  /// Whether nothing at all stands against it: its breaker and its provider's are closed with no failure outstanding, and
  /// some key is free.
  public func isInGoodStanding(endpoint: Int, now: UInt64) -> Bool {
    guard cells.indices.contains(endpoint) else { return true }
    let cell = cells[endpoint]
    return cell.breaker.breaker.isSpotless && cell.provider.breaker.breaker.isSpotless
      && limitedFor(endpoint: endpoint, now: now) == 0
  }

  /// Whether it is in no outage and some key is free; a failure may be outstanding.
  public func isClosed(endpoint: Int, now: UInt64) -> Bool {
    guard cells.indices.contains(endpoint) else { return true }
    let cell = cells[endpoint]
    return !cell.breaker.breaker.isInOutage && !cell.provider.breaker.breaker.isInOutage
      && limitedFor(endpoint: endpoint, now: now) == 0
  }

  /// What an attempt taught. A client that left teaches nothing and is not reported here.
  ///
  /// - Parameters:
  ///   - wasProbe: `admit` gave out `.probe` for it.
  ///   - began: when it was sent; `now` when that is not said. A success that began before the outage does not end it, and a
  ///     failure that began before the return is of the outage before.
  public func record(
    endpoint: Int, succeeded: Bool, scope: FaultScope = .endpoint, wasProbe: Bool = false, began: UInt64? = nil,
    now: UInt64
  ) {
    guard cells.indices.contains(endpoint) else { return }
    let cell = cells[endpoint]
    let provider = cell.provider
    let began = began ?? now
    let wasProviderProbe = wasProbe && provider.prober.load(ordering: .relaxed) == cell.key
    if succeeded {
      if let after = cell.breaker.succeed(wasProbe: wasProbe, began: began, now: now) {
        events.add(.closed(endpoint: cell.id, after: after))
      }
      if let after = provider.breaker.succeed(wasProbe: wasProviderProbe, began: began, now: now) {
        events.add(.providerClosed(provider: provider.name, after: after))
      }
      return
    }
    if case .opened(let pause) = cell.breaker.fail(wasProbe: wasProbe, began: began, now: now) {
      events.add(.opened(endpoint: cell.id, pause: pause))
    }
    if scope == .provider {
      if case .opened(let pause) = provider.breaker.fail(wasProbe: wasProviderProbe, began: began, now: now) {
        events.add(.providerOpened(provider: provider.name, pause: pause))
      }
    } else if wasProviderProbe {
      // It reached its provider, but whether that is well the next must show.
      provider.breaker.releaseProbe()
    }
  }

  /// A probe that ended without a verdict: the client left, the request was at fault, a 429. The next may probe at once. One
  /// that is older than its lease may let go of its successor's; then two probe at a time, which does no harm.
  public func releaseProbe(endpoint: Int) {
    guard cells.indices.contains(endpoint) else { return }
    let cell = cells[endpoint]
    cell.breaker.releaseProbe()
    if cell.provider.prober.load(ordering: .relaxed) == cell.key { cell.provider.breaker.releaseProbe() }
  }

  public func attemptStarted(endpoint: Int) {
    if cells.indices.contains(endpoint) { cells[endpoint].running.add(1, ordering: .relaxed) }
  }

  public func attemptEnded(endpoint: Int) {
    if cells.indices.contains(endpoint) { cells[endpoint].running.subtract(1, ordering: .relaxed) }
  }

  /// What happened since the last call that an admin should hear of.
  public func fetchEvents() -> [Event] { events.fetch() }

  /// Everything that a decision asks of one endpoint, in one look.
  struct Look {
    var running = 0
    /// Neither its breaker nor its provider's is open, and no probe of theirs is under way.
    var isStable = true
    var isLimited = false
    /// Which share of its requests it gets while it returns from an outage; 1 else.
    var share = 1.0
  }

  @inline(__always)
  func look(_ endpoint: Int, now: UInt64) -> Look {
    guard looked.indices.contains(endpoint) else { return Look() }
    return looked[endpoint]._withUnsafeGuaranteedRef { cell in
      cell.unretainedProvider._withUnsafeGuaranteedRef { provider in
        var look = Look()
        look.running = cell.running.load(ordering: .relaxed)
        look.isStable = !cell.breaker.breaker.isOut(now) && !provider.breaker.breaker.isOut(now)
        if max(cell.limitedUntil.load(ordering: .relaxed), provider.retiredUntil.load(ordering: .relaxed)) > now {
          look.isLimited = limitedFor(endpoint: endpoint, now: now) > 0
        }
        look.share = min(
          cell.breaker.share(now, ramp: Self.returnRamp), provider.breaker.share(now, ramp: Self.returnRamp))
        return look
      }
    }
  }
}

extension EndpointHealth {
  /// What an earlier table's health has, by what it is known by.
  private struct Earlier {
    var cells: [String: (cell: EndpointCell, keys: [KeyAtEndpoint])] = [:]
    var providers: [String: ProviderCell] = [:]
    var keys: [String: [Int: KeyCell]] = [:]
    var routes: [String: RouteCell] = [:]

    init(_ health: EndpointHealth?) {
      guard let health else { return }
      for (cell, keys) in zip(health.cells, health.keys) {
        cells[cell.id] = (cell, keys)
        let provider = cell.provider.name
        if providers.updateValue(cell.provider, forKey: provider) == nil {
          for key in keys { self.keys[provider, default: [:]][key.key.hash] = key.key }
        }
      }
      for route in health.routes { routes[route.name] = route }
    }
  }
}
