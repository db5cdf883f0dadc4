import Synchronization

/// A breaker that all loops share, and the moments that go with it, in monotonic nanoseconds; 0 for one that never was.
struct SharedBreaker: ~Copyable, Sendable {
  private let value = Atomic<Breaker>(Breaker())
  private let succeededAt = Atomic<UInt64>(0)
  /// When the running outage began, or the last one.
  private let openedAt = Atomic<UInt64>(0)
  /// When the last outage ended.
  private let returnedAt = Atomic<UInt64>(0)
  private let pauses: Breaker.Pauses

  init(_ pauses: Breaker.Pauses) {
    self.pauses = pauses
  }

  @inline(__always)
  var breaker: Breaker { value.load(ordering: .relaxed) }

  func takeProbe(_ now: UInt64) -> Breaker.Probe {
    change { $0.takeProbe(pauses, now) }.result
  }

  func releaseProbe() {
    change { $0.releaseProbe() }
  }

  /// - Parameter began: when that which succeeded began. What began before the outage says nothing of it.
  /// - Returns: how long the outage was that this ended; `nil` when there was none.
  func succeed(wasProbe: Bool, began: UInt64, now: UInt64) -> UInt64? {
    if !breaker.isSpotless {
      if breaker.isInOutage, !wasProbe, began < openedAt.load(ordering: .relaxed) { return nil }
      if change({ $0.succeed() }).before.isInOutage {
        succeededAt.store(max(now, 1), ordering: .relaxed)
        returnedAt.store(max(now, 1), ordering: .relaxed)
        let openedAt = openedAt.load(ordering: .relaxed)
        return now > openedAt ? now - openedAt : 0
      }
    }
    succeededAt.store(max(now, 1), ordering: .relaxed)
    return nil
  }

  /// - Parameter began: when that which failed began. What began before the last outage ended is a part of that.
  func fail(wasProbe: Bool, began: UInt64, now: UInt64) -> Breaker.Fall {
    if began < returnedAt.load(ordering: .relaxed) { return .none }
    let succeededAt = succeededAt.load(ordering: .relaxed)
    let isVouchedFor = succeededAt != 0 && now < succeededAt &+ pauses.vouching
    let fall = change { $0.fail(isVouchedFor: isVouchedFor, wasProbe: wasProbe, pauses, now) }.result
    if case .opened = fall { openedAt.store(max(now, 1), ordering: .relaxed) }
    return fall
  }

  /// Which share of its requests something gets that has returned from an outage: from a tenth up to all over `ramp`, since
  /// a cold node that is given everything at once fails again.
  @inline(__always)
  func share(_ now: UInt64, ramp: UInt64) -> Double {
    let returnedAt = returnedAt.load(ordering: .relaxed)
    guard returnedAt != 0, now < returnedAt &+ ramp else { return 1 }
    return 0.1 + 0.9 * Double(now > returnedAt ? now - returnedAt : 0) / Double(ramp)
  }

  @discardableResult
  private func change<Result>(_ body: (inout Breaker) -> Result) -> (before: Breaker, result: Result) {
    var before = breaker
    while true {
      var after = before
      let result = body(&after)
      if after == before { return (before, result) }
      let (exchanged, original) = value.compareExchange(expected: before, desired: after, ordering: .relaxed)
      if exchanged { return (before, result) }
      before = original
    }
  }
}
