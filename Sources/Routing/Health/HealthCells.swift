import Synchronization

extension Breaker.Pauses {
  /// Of endpoints and providers.
  static let outage = Self(
    first: 2_000_000_000, longest: 20_000_000_000, lease: 60_000_000_000, vouching: 30_000_000_000)
  /// Of keys that the provider refused or whose account is spent: 5 minutes, doubling to an hour.
  static let key = Self(
    first: 300_000_000_000, longest: 3_600_000_000_000, lease: 10_000_000_000, vouching: 0)
}

/// What all loops know of one provider, by its name.
final class ProviderCell: Sendable {
  let name: String
  let breaker = SharedBreaker(.outage)
  /// `Endpoint.key` of the one that has the breaker's probe.
  let prober = Atomic<UInt64>(0)
  /// Whose turn it is among its keys.
  let turn = Atomic<UInt64>(0)
  /// Until then at least one of its keys is retired, or its trial is under way: before it keys must be looked at one by
  /// one.
  let retiredUntil = Atomic<UInt64>(0)

  init(name: String) {
    self.name = name
  }
}

/// What all loops know of one key of a provider, by a hash of it that no other process makes.
final class KeyCell: Sendable {
  let hash: Int
  let breaker = SharedBreaker(.key)
  /// Why it was retired last: whether its account was spent.
  let isSpent = Atomic<Bool>(false)

  init(hash: Int) {
    self.hash = hash
  }
}

/// One key at one endpoint.
final class KeyAtEndpoint: Sendable {
  let key: KeyCell
  /// Monotonic nanoseconds until which its rate limit is used up there.
  let limitedUntil = Atomic<UInt64>(0)

  init(_ key: KeyCell) {
    self.key = key
  }

  /// When it can be used.
  @inline(__always)
  var freeAt: UInt64 { max(limitedUntil.load(ordering: .relaxed), key.breaker.breaker.isOutUntil) }
}

/// What all loops know of one endpoint, by its id.
final class EndpointCell: Sendable {
  let id: String
  let key: UInt64
  let provider: ProviderCell
  /// The same, for one who only looks.
  let unretainedProvider: Unmanaged<ProviderCell>
  let breaker = SharedBreaker(.outage)
  /// Until then the rate limit of at least one key is used up there: before it keys must be looked at one by one.
  let limitedUntil = Atomic<UInt64>(0)
  /// Attempts under way.
  let running = Atomic<Int>(0)

  init(id: String, key: UInt64, provider: ProviderCell) {
    self.id = id
    self.key = key
    self.provider = provider
    unretainedProvider = Unmanaged.passUnretained(provider)
  }
}

/// What all loops share of one route, by its name.
final class RouteCell: Sendable {
  let name: String
  let retries = RetryBudget()
  let hedges = HedgeAccount()

  init(name: String) {
    self.name = name
  }
}
