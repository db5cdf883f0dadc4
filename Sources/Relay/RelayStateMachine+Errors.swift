import Metering

/// What the client is told when nothing is left to try.
extension RelayStateMachine {
  /// The stream broke, and nobody carries it on.
  func brokenStream() -> RouterError {
    guard let failure = failures.last(where: { $0.hadDelivered }) ?? failures.last else { return finalError() }
    let others = failures.count { !$0.hadDelivered }
    let tried = others > 0 && failures.last?.hadDelivered == false ? ", and nobody could carry it on" : ""
    return RouterError(
      .streamBroken, source: .provider, isRetryable: true,
      message: "\(failure.provider) broke off after part of the answer was delivered: \(failure.message)\(tried). "
        + "What came so far is incomplete; send the request again.",
      attempts: failures)
  }

  /// Nothing could be delivered: at capacity if they all said so, too slow if they all were, and so on.
  func finalError() -> RouterError {
    let real = failures.filter { $0.failure != .staleConnection }
    let told = told(real)
    func all(_ classes: Set<FailureClass>) -> Bool { !real.isEmpty && real.allSatisfy { classes.contains($0.failure) } }
    if let limit = limitToTell, real.allSatisfy({ $0.failure == .rateLimited }) {
      return RouterError(
        .rateLimited, source: .provider, isRetryable: true,
        message: "every endpoint of this route is at capacity; wait and send the request again\(told)",
        attempts: failures, retryAfter: limit)
    }
    if let last = real.last, last.failure == .contextLength {
      return RouterError(
        .rejectedByProvider(status: last.status ?? 400), source: .client, isRetryable: false,
        message: "the request is too long for every endpoint of this route; shorten it, or use a model with a larger "
          + "context\(told)", attempts: failures)
    }
    if all([.headersTimeout, .firstTokenTimeout, .stalled, .requestTimeout]) {
      return RouterError(
        .timedOut, source: .provider, isRetryable: true,
        message: "no endpoint of this route answered in time; send the request again, or raise the route's timeouts"
          + told, attempts: failures)
    }
    if all([.overloaded]) {
      return RouterError(
        .overloaded, source: .provider, isRetryable: true,
        message: "every endpoint of this route is overloaded; send the request again in a moment\(told)",
        attempts: failures, retryAfter: Self.shortest(real.compactMap(\.retryAfter)))
    }
    if all([.emptyCompletion]) {
      return RouterError(
        .emptyCompletion, source: .provider, isRetryable: true,
        message: "every endpoint of this route finished without a single token; send the request again\(told)",
        attempts: failures)
    }
    return RouterError(
      .providerFailed, source: .provider, isRetryable: true,
      message: "every endpoint of this route failed; send the request again, or check the providers\(told)",
      attempts: failures)
  }

  private func told(_ real: [FailedAttempt]) -> String {
    var parts = real.suffix(FailedAttempt.toldLimit).map { "\($0.provider): \($0.message)" }
    if real.count > parts.count { parts.insert("\(real.count - parts.count) more before", at: 0) }
    return parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
  }

  /// The least of the waits that providers asked for, in whole seconds; one that is a date as it stands when there is
  /// none; `nil` for anything else.
  static func shortest(_ waits: [String]) -> String? {
    let seconds = waits.compactMap { Int($0) }.filter { $0 >= 0 }
    return seconds.min().map { String(max($0, 1)) } ?? waits.first { $0.hasSuffix(" GMT") }
  }
}
