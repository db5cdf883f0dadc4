import Metering
import Testing

@testable import Relay

@Suite struct RelayStateMachineTests {
  static func failure(
    _ failure: FailureClass, status: Int? = nil, retryAfter: String? = nil, isClientFault: Bool = false
  )
    -> FailedAttempt
  {
    FailedAttempt(
      provider: "p", failure: failure, status: status, message: "it failed", retryAfter: retryAfter,
      isClientFault: isClientFault)
  }

  @Test func `before content every candidate is tried in turn`() {
    var machine = RelayStateMachine(candidates: 3)
    machine.attemptStarted()
    #expect(machine.attemptFailed(Self.failure(.connect), connectionWasStale: false) == .tryNext)
    machine.attemptStarted()
    #expect(machine.attemptFailed(Self.failure(.serverError), connectionWasStale: false) == .tryNext)
    machine.attemptStarted()
    guard case .giveUp(let error) = machine.attemptFailed(Self.failure(.connect), connectionWasStale: false) else {
      Issue.record("it must give up")
      return
    }
    #expect(error.code == .providerFailed)
    #expect(error.attempts.count == 3)
  }

  @Test func `of thousands that failed a client is told of the last`() {
    var machine = RelayStateMachine(candidates: 10_000)
    var last: RouterError?
    for _ in 0..<10_000 {
      machine.attemptStarted()
      let action = machine.attemptFailed(Self.failure(.connect), connectionWasStale: false)
      if case .giveUp(let error) = action { last = error }
    }
    #expect(last?.message.contains("(9984 more before; p: it failed;") == true)
    #expect((last?.message.utf8.count ?? .max) < 500)
  }

  @Test func `after content nothing takes over`() {
    var machine = RelayStateMachine(candidates: 3)
    machine.attemptStarted()
    machine.contentReachedClient()
    guard case .giveUp(let error) = machine.attemptFailed(Self.failure(.truncated), connectionWasStale: false) else {
      Issue.record("it must give up")
      return
    }
    #expect(error.code == .streamBroken)
  }

  @Test func `a dead kept connection is tried once more on a fresh one, then the next candidate`() {
    var machine = RelayStateMachine(candidates: 2)
    machine.attemptStarted()
    #expect(machine.attemptFailed(Self.failure(.staleConnection), connectionWasStale: true) == .tryAgainFresh)
    #expect(machine.attemptFailed(Self.failure(.staleConnection), connectionWasStale: true) == .tryNext)
    machine.attemptStarted()
    #expect(machine.attemptFailed(Self.failure(.staleConnection), connectionWasStale: true) == .tryAgainFresh)
  }

  @Test func `what the provider says of the request itself goes to the client at once`() {
    var machine = RelayStateMachine(candidates: 5)
    machine.attemptStarted()
    let action = machine.attemptFailed(
      Self.failure(.badRequest, status: 422, isClientFault: true), connectionWasStale: false)
    guard case .giveUp(let error) = action else {
      Issue.record("it must give up")
      return
    }
    #expect(error.code == .rejectedByProvider(status: 422))
    #expect(!error.isRetryable)
  }

  @Test func `all at capacity is a rate limit with the shortest wait`() {
    var machine = RelayStateMachine(candidates: 2)
    machine.attemptStarted()
    _ = machine.attemptFailed(Self.failure(.rateLimited, retryAfter: "30"), connectionWasStale: false)
    machine.attemptStarted()
    let action = machine.attemptFailed(Self.failure(.rateLimited, retryAfter: "7"), connectionWasStale: false)
    guard case .giveUp(let error) = action else {
      Issue.record("it must give up")
      return
    }
    #expect(error.code == .rateLimited)
    #expect(error.retryAfter == "7")
  }

  @Test func `all too slow is a timeout`() {
    var machine = RelayStateMachine(candidates: 1)
    machine.attemptStarted()
    let action = machine.attemptFailed(Self.failure(.headersTimeout), connectionWasStale: false)
    guard case .giveUp(let error) = action else {
      Issue.record("it must give up")
      return
    }
    #expect(error.code == .timedOut)
  }
}
