/// The keys of an endpoint's provider, by their place in `Provider.credentials`; a provider without any has the one place
/// 0. A used-up rate limit is the key's at this endpoint; a key that is refused, or whose account is spent, is out of use
/// at all endpoints of the provider.
extension EndpointHealth {
  /// Of a provider with more keys only the first 64 are used.
  static let mostKeys = 64

  /// Why a key is not used for a while.
  public enum Retirement: Sendable {
    /// 401 or 403.
    case refused
    /// 402, or a cap on spend.
    case spent
  }

  /// The key to use now: those that are free take turns. One that was retired is tried by one request before others
  /// follow.
  ///
  /// - Parameter tried: bit set of the places that this completion has tried here already.
  /// - Returns: `nil` when there is none; then `rateLimitedFor` says for how long, or all were tried.
  public func key(endpoint: Int, tried: UInt64 = 0, now: UInt64) -> Int? {
    guard keys.indices.contains(endpoint) else { return tried & 1 == 0 ? 0 : nil }
    let count = keys[endpoint].count
    let provider = cells[endpoint].provider
    let turn =
      count == 1 ? 0 : Int(provider.turn.wrappingAdd(1, ordering: .relaxed).oldValue % UInt64(max(count, 1)))
    for step in 0..<count {
      let place = (turn + step) % count
      let key = keys[endpoint][place]
      guard tried & 1 << UInt64(place) == 0, key.freeAt <= now else { continue }
      switch key.key.breaker.takeProbe(now) {
      case .notNeeded:
        return place
      case .taken:
        provider.retiredUntil.max(key.key.breaker.breaker.isOutUntil, ordering: .relaxed)
        return place
      case .refused:
        continue
      }
    }
    return nil
  }

  /// Whether `key` would have one; nothing is taken.
  public func hasKey(endpoint: Int, tried: UInt64, now: UInt64) -> Bool {
    guard keys.indices.contains(endpoint) else { return tried & 1 == 0 }
    return keys[endpoint].indices.contains { tried & 1 << UInt64($0) == 0 && keys[endpoint][$0].freeAt <= now }
  }

  /// A key whose rate limit is not used up there, retired or not: for when no other endpoint is left.
  public func anyKey(endpoint: Int, tried: UInt64, now: UInt64) -> Int? {
    guard keys.indices.contains(endpoint) else { return tried & 1 == 0 ? 0 : nil }
    return keys[endpoint].indices.filter { place in
      tried & 1 << UInt64(place) == 0 && keys[endpoint][place].limitedUntil.load(ordering: .relaxed) <= now
    }.min { keys[endpoint][$0].freeAt < keys[endpoint][$1].freeAt }
  }

  /// For how long the rate limits of all keys that are not retired are used up there; `nil` when all are retired.
  public func rateLimitedFor(endpoint: Int, now: UInt64) -> UInt64? {
    guard keys.indices.contains(endpoint) else { return nil }
    let limits = keys[endpoint].lazy.filter { $0.key.breaker.breaker.isOutUntil <= now }
      .map { $0.limitedUntil.load(ordering: .relaxed) }
    return limits.min().map { $0 > now ? $0 - now : 0 }
  }

  /// The provider says that the key's rate limit is used up there, by a 429 or by its headers. Of several such words the
  /// one that reaches furthest holds.
  ///
  /// - Parameter nanoseconds: from `now` on; cut to `longestWait`.
  public func limit(endpoint: Int, key: Int, for nanoseconds: UInt64, now: UInt64) {
    guard let cell = self.key(key, at: endpoint) else { return }
    let until = now &+ min(nanoseconds, Self.longestWait)
    cell.limitedUntil.max(until, ordering: .relaxed)
    cells[endpoint].limitedUntil.max(until, ordering: .relaxed)
  }

  /// For how long none of its keys can be used; 0: some key is free.
  func limitedFor(endpoint: Int, now: UInt64) -> UInt64 {
    guard keys.indices.contains(endpoint) else { return 0 }
    var earliest = UInt64.max
    for key in keys[endpoint] { earliest = min(earliest, key.freeAt) }
    return earliest > now ? earliest - now : 0
  }

  /// The provider does not take the key: it is left alone for 5 minutes, and for twice as long, up to an hour, each time
  /// that it is not taken again.
  public func retire(endpoint: Int, key place: Int, _ why: Retirement, now: UInt64) {
    guard let cell = key(place, at: endpoint)?.key else { return }
    let provider = cells[endpoint].provider
    switch cell.breaker.fail(wasProbe: true, began: now, now: now) {
    case .none: return
    case .opened(let pause), .reopened(let pause):
      cell.isSpent.store(why == .spent, ordering: .relaxed)
      provider.retiredUntil.max(cell.breaker.breaker.isOutUntil, ordering: .relaxed)
      events.add(.keyRetired(provider: provider.name, place: place, why: why, for: pause))
    }
  }

  /// The provider took the key, whatever became of the attempt: a retirement is over.
  ///
  /// - Parameter began: when the attempt was sent. One that the key was taken for before its retirement does not end that.
  public func keySucceeded(endpoint: Int, key place: Int, began: UInt64, now: UInt64) {
    guard let cell = key(place, at: endpoint)?.key, !cell.breaker.breaker.isSpotless else { return }
    if cell.breaker.succeed(wasProbe: false, began: began, now: now) != nil {
      events.add(.keyReturned(provider: cells[endpoint].provider.name, place: place))
    }
  }

  private func key(_ place: Int, at endpoint: Int) -> KeyAtEndpoint? {
    guard keys.indices.contains(endpoint), keys[endpoint].indices.contains(place) else { return nil }
    return keys[endpoint][place]
  }
}
