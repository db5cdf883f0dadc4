import Metering

/// Decides what follows an attempt's failure. A value that takes events and returns an action; it never acts.
///
/// Before the first content byte any candidate may take over. After it, nothing may: the stream ends in an error.
struct RelayStateMachine: ~Copyable {
  enum Action: Equatable {
    /// Try the plan's next endpoint.
    case tryNext
    /// Try the same endpoint once more, on a fresh connection: the kept one turned out to be dead.
    case tryAgainFresh
    /// Tell the client.
    case giveUp(RouterError)
  }

  private var remaining: Int
  private var contentDelivered = false
  private var freshTried = false
  private(set) var failures: [FailedAttempt] = []

  /// - Parameter candidates: how many endpoints the plan has.
  init(candidates: Int) {
    remaining = candidates
  }

  /// A first or fallback attempt starts.
  mutating func attemptStarted() {
    remaining -= 1
    freshTried = false
  }

  /// Content went to the client: from now on there is no way back.
  mutating func contentReachedClient() { contentDelivered = true }

  var hasDeliveredContent: Bool { contentDelivered }

  /// An attempt failed.
  ///
  /// - Parameter connectionWasStale: a re-used connection, idle before, ended without a response byte.
  mutating func attemptFailed(_ failure: FailedAttempt, connectionWasStale: Bool) -> Action {
    failures.append(failure)
    if contentDelivered {
      return .giveUp(
        RouterError(
          .streamBroken, source: .provider, isRetryable: true,
          message: "\(failure.provider) broke off after part of the answer was delivered: \(failure.message). "
            + "What came so far is incomplete; send the request again.",
          attempts: failures))
    }
    if failure.isClientFault {
      return .giveUp(
        RouterError(
          .rejectedByProvider(status: failure.status ?? 400), source: .client, isRetryable: false,
          message: "\(failure.provider) refused the request: \(failure.message)", attempts: failures))
    }
    if connectionWasStale, !freshTried {
      freshTried = true
      return .tryAgainFresh
    }
    if remaining > 0 { return .tryNext }
    return .giveUp(finalError())
  }

  /// The error when all candidates have been tried: at capacity if they all said so, too slow if they all were.
  private func finalError() -> RouterError {
    let real = failures.filter { $0.failure != .staleConnection }
    var parts = real.suffix(FailedAttempt.toldLimit).map { "\($0.provider): \($0.message)" }
    if real.count > parts.count { parts.insert("\(real.count - parts.count) more before", at: 0) }
    let told = parts.joined(separator: "; ")
    if !real.isEmpty, real.allSatisfy({ $0.failure == .rateLimited }) {
      return RouterError(
        .rateLimited, source: .provider, isRetryable: true,
        message: "every endpoint of this route is at capacity; wait and send the request again (\(told))",
        attempts: failures, retryAfter: Self.shortest(real.compactMap(\.retryAfter)))
    }
    let slow: Set<FailureClass> = [.headersTimeout, .firstTokenTimeout, .stalled, .requestTimeout]
    if !real.isEmpty, real.allSatisfy({ slow.contains($0.failure) }) {
      return RouterError(
        .timedOut, source: .provider, isRetryable: true,
        message: "no endpoint of this route answered in time; send the request again, or raise the route's timeouts "
          + "(\(told))", attempts: failures)
    }
    return RouterError(
      .providerFailed, source: .provider, isRetryable: true,
      message: "every endpoint of this route failed; send the request again, or check the providers (\(told))",
      attempts: failures)
  }

  /// The least of the waits that providers asked for; the first one as it stands when none is a number of seconds.
  private static func shortest(_ waits: [String]) -> String? {
    let seconds = waits.compactMap { Int($0) }.filter { $0 >= 0 }
    return seconds.min().map(String.init) ?? waits.first
  }
}
