import Metering
import Routing

/// What an attempt's failure comes to: for its endpoint, its provider and its key, for the ledger, for the client.
extension Completion {
  /// - Parameters:
  ///   - status: what a failure inside a response of another status says of itself.
  ///   - wait: nanoseconds that the provider asked to be left alone for.
  ///   - isStale: a re-used connection ended without a response byte.
  func attemptFailed(
    _ attempt: Attempt, _ failure: FailureClass, _ message: String, status: Int? = nil, wait: UInt64? = nil,
    isStale: Bool = false
  ) {
    guard attempt === current || attempt === rival, !attempt.isOver else { return }
    let now = relay.loop.now
    let status = status ?? attempt.head?.status
    let failed = FailedAttempt(
      place: attempt.place, provider: attempt.providerName, failure: failure, status: status, message: message,
      retryAfter: attempt.head?.retryAfter, hadDelivered: attempt.isServing)
    judge(attempt, failure, status: status, wait: wait)
    if attempt.isServing { carried?.cut(attempt) }
    let other = attempt === current ? rival : current
    // What comes next is known before this one's record is: it tells whether it is the last.
    var next: NextStep?
    if connection != nil {
      let circumstances = RelayStateMachine.Circumstances(
        elapsed: now &- attempt.startedAt, connectionWasStale: isStale, hasOtherKey: hasOtherKey(attempt, failure),
        wait: wait, floor: Self.floor(wait), hasRival: other != nil, mayResume: carried?.canGoOn ?? false,
        jitter: jitter)
      next = self.next(machine.attemptFailed(attempt.step, failed, circumstances))
    }
    let outcome: Outcome = connection == nil ? .cancelled : attempt.isServing ? .interrupted : .failed
    let settled = connection == nil ? FailureClass.clientLeft : failure
    drop(attempt)
    if let other {
      current = other
      rival = nil
    }
    switch next {
    case .wait:
      // Whether it is the last is known when the wait is over.
      attempt.leave(at: now)
      postponed = PostponedSettlement(attempt: attempt, outcome: outcome, failure: settled)
    case .end, nil: attempt.settle(outcome, settled, isFinal: other == nil)
    case .attempt, .goOn: attempt.settle(outcome, settled, isFinal: false)
    }
    if let next { go(next) } else if other == nil { close() }
  }

  /// An attempt that failed, whose record waits for what follows it.
  struct PostponedSettlement {
    var attempt: Attempt
    var outcome: Outcome
    var failure: FailureClass
  }

  func settlePostponed(isFinal: Bool) {
    guard let waiting = postponed else { return }
    postponed = nil
    waiting.attempt.settle(waiting.outcome, waiting.failure, isFinal: isFinal)
  }

  /// Whether the provider has a key that was not tried yet, after a failure that was one key's.
  private func hasOtherKey(_ attempt: Attempt, _ failure: FailureClass) -> Bool {
    switch failure {
    case .rateLimited, .providerAuth, .providerSpent:
      health.hasKey(endpoint: attempt.place, tried: attempt.step.tries.keys, now: relay.loop.now)
    default: false
    }
  }

  /// What a failure says of its endpoint. A client that left says nothing of it.
  private func judge(_ attempt: Attempt, _ failure: FailureClass, status: Int?, wait: UInt64?) {
    let now = relay.loop.now
    let place = attempt.place
    defer { attempt.isProbe = false }
    func release() {
      if attempt.isProbe { health.releaseProbe(endpoint: place) }
    }
    func record(_ scope: FaultScope) {
      health.record(
        endpoint: place, succeeded: false, scope: scope, wasProbe: attempt.isProbe, began: attempt.startedAt, now: now)
    }
    if failure == .rateLimited {
      // Not a fault, and not an outage: it says itself when it has room again.
      health.limit(endpoint: place, key: attempt.key, for: Self.floor(wait), now: now)
      return release()
    }
    if connection == nil { return release() }
    switch failure {
    case .badRequest, .contentFilter, .contextLength, .staleConnection: release()
    case .providerSpent where attempt.wasTooDear: release()
    case .providerAuth, .providerSpent:
      health.retire(endpoint: place, key: attempt.key, failure == .providerSpent ? .spent : .refused, now: now)
      // While another key is good, only this one is out.
      if hasOtherKey(attempt, failure) { release() } else { record(.provider) }
    case .connect, .tls: record(.provider)
    case .overloaded: record(status == 529 ? .provider : .endpoint)
    default: record(.endpoint)
    }
  }

  /// Nanoseconds that a key is left alone at an endpoint that said 429: what it asked for, but not so little that every
  /// request runs into the next 429; a second when it asked for nothing.
  static func floor(_ asked: UInt64?) -> UInt64 { max(asked ?? 1_000_000_000, 200_000_000) }

  /// An answer is on its way, or whole: the endpoint is sound.
  func vouch(for attempt: Attempt) {
    health.record(
      endpoint: attempt.place, succeeded: true, scope: .endpoint, wasProbe: attempt.isProbe,
      began: attempt.startedAt, now: relay.loop.now)
    health.keySucceeded(endpoint: attempt.place, key: attempt.key, began: attempt.startedAt, now: relay.loop.now)
    attempt.isProbe = false
  }

  /// Ends an attempt that is not needed any more.
  func cancel(_ attempt: Attempt, _ failure: FailureClass, isFinal: Bool) {
    if attempt.isProbe { health.releaseProbe(endpoint: attempt.place) }
    attempt.isProbe = false
    attempt.settle(failure == .routerStopped ? .interrupted : .cancelled, failure, isFinal: isFinal)
    drop(attempt)
  }

  /// Lets go of an attempt that is settled.
  func drop(_ attempt: Attempt) {
    if let transfer = attempt.transfer { relay.upstream.cancel(transfer) }
    attempt.transfer = nil
    if attempt === rival {
      rival = nil
    } else {
      current = nil
      lastAttempt = attempt
    }
  }
}
