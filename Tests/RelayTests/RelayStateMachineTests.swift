import Catalog
import Metering
import Routing
import Testing

@testable import Relay

@Suite struct RelayStateMachineTests {
  typealias Machine = RelayStateMachine

  /// A table of endpoints of one model `m`, and one of another model behind them.
  static func table(_ endpoints: [String], other: Bool = false) throws -> RouteTable {
    var yaml = "providers:\n"
    for index in 0...endpoints.count { yaml += "  p\(index): { base_url: 'http://127.0.0.1:\(9000 + index)/v1' }\n" }
    yaml += "models:\n  m:\n    endpoints:\n"
    for (index, rest) in endpoints.enumerated() { yaml += "      - { provider: p\(index)\(rest) }\n" }
    if other { yaml += "  o:\n    endpoints:\n      - { provider: p\(endpoints.count) }\n" }
    yaml += "routes:\n  r: { models: [\(other ? "m, o" : "m")] }\n"
    let file = try #require(RoutesFile.parse(yaml).file)
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    return try #require(table, "\(diagnostics)")
  }

  static func machine(_ table: RouteTable) -> Machine {
    Machine(plan: AttemptPlan(endpoints: Array(table.endpoints.indices)), table: table, promptTokens: 1_000)
  }

  static func failure(
    _ failure: FailureClass, at place: Int = 0, status: Int? = nil, retryAfter: String? = nil, delivered: Bool = false
  ) -> FailedAttempt {
    FailedAttempt(
      place: place, provider: "p\(place)", failure: failure, status: status, message: "it failed",
      retryAfter: retryAfter, hadDelivered: delivered)
  }

  /// The step of an action, taken.
  static func step(_ action: Machine.Action, of machine: inout Machine) throws -> Machine.Step {
    guard case .attempt(let step) = action else {
      Issue.record("no attempt but \(action)")
      throw Unexpected()
    }
    machine.attemptStarted()
    return step
  }
  struct Unexpected: Error {}

  static func error(_ action: Machine.Action) throws -> RouterError {
    guard case .giveUp(let error) = action else {
      Issue.record("no end but \(action)")
      throw Unexpected()
    }
    return error
  }

  @Test func `before content every candidate is tried in turn`() throws {
    let table = try Self.table(["", "", ""])
    var machine = Self.machine(table)
    var step = try Self.step(machine.start(), of: &machine)
    #expect(step.reason == .first && step.charge == .free)
    for place in 1...2 {
      step = try Self.step(
        machine.attemptFailed(step, Self.failure(.connect, at: step.place), .init()), of: &machine)
      #expect(step.place == place && step.reason == .fallback && step.charge == .unlessSound)
    }
    let error = try Self.error(machine.attemptFailed(step, Self.failure(.connect, at: 2), .init()))
    #expect(error.code == .providerFailed)
    #expect(error.attempts.count == 3)
  }

  @Test(arguments: [FailureClass.serverError, .overloaded, .emptyCompletion, .truncated])
  func `what may pass is tried once more at the same endpoint, then at the next`(_ failure: FailureClass) throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    var first = try Self.step(machine.start(), of: &machine)
    first.tries.keys = 1
    let again = try Self.step(
      machine.attemptFailed(first, Self.failure(failure, status: 503), .init(jitter: 7)), of: &machine)
    #expect(again.place == 0 && again.reason == .retry && again.delay == 7 && again.charge == .always)
    #expect(again.needsFreshConnection == (failure == .truncated) && again.tries.keys == 0)
    let next = try Self.step(machine.attemptFailed(again, Self.failure(failure, status: 503), .init()), of: &machine)
    #expect(next.place == 1 && next.reason == .fallback)
  }

  @Test func `a slow failure is not tried again where it was`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    let next = try Self.step(
      machine.attemptFailed(first, Self.failure(.serverError), .init(elapsed: Machine.fastFailure)), of: &machine)
    #expect(next.place == 1)
  }

  @Test(arguments: [
    FailureClass.headersTimeout, .firstTokenTimeout, .stalled, .connect, .tls, .badResponse, .providerNotFound,
    .errorEvent, .requestTimeout, .other,
  ])
  func `what does not pass is never tried again where it was`(_ failure: FailureClass) throws {
    let table = try Self.table([""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    _ = try Self.error(machine.attemptFailed(first, Self.failure(failure), .init()))
  }

  @Test func `529 speaks for the provider, so its endpoint is not tried again`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    let next = try Self.step(
      machine.attemptFailed(first, Self.failure(.overloaded, status: 529), .init()), of: &machine)
    #expect(next.place == 1)
  }

  @Test func `a dead kept connection is tried once more on a fresh one, free of charge`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    var first = try Self.step(machine.start(), of: &machine)
    first.tries.keys = 1
    let fresh = try Self.step(
      machine.attemptFailed(first, Self.failure(.staleConnection), .init(connectionWasStale: true)), of: &machine)
    #expect(fresh.place == 0 && fresh.reason == .staleConnection && fresh.needsFreshConnection)
    #expect(fresh.charge == .free && fresh.delay == 0 && fresh.tries.keys == 0)
    let next = try Self.step(
      machine.attemptFailed(fresh, Self.failure(.staleConnection), .init(connectionWasStale: true)), of: &machine)
    #expect(next.place == 1)
  }

  @Test(arguments: [FailureClass.badRequest, .contentFilter])
  func `what the provider says of the request itself goes to the client at once`(_ failure: FailureClass) throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    let error = try Self.error(machine.attemptFailed(first, Self.failure(failure, status: 422), .init()))
    #expect(error.code == .rejectedByProvider(status: 422))
    #expect(!error.isRetryable)
  }

  @Test func `too long for one goes only to those that declare more context`() throws {
    let table = try Self.table([", context: 8000", "", ", context: 8000", ", context: 32000"])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    let larger = try Self.step(
      machine.attemptFailed(first, Self.failure(.contextLength, status: 400), .init()), of: &machine)
    #expect(larger.place == 3)
    let error = try Self.error(
      machine.attemptFailed(larger, Self.failure(.contextLength, at: 3, status: 400), .init()))
    #expect(error.code == .rejectedByProvider(status: 400))
  }

  @Test func `a rate limit of one key is another key's chance`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    let other = try Self.step(
      machine.attemptFailed(first, Self.failure(.rateLimited, status: 429), .init(hasOtherKey: true, wait: 9)),
      of: &machine)
    #expect(other.place == 0 && other.reason == .otherKey && other.charge == .free && other.delay == 0)
    let next = try Self.step(
      machine.attemptFailed(other, Self.failure(.providerAuth, status: 401), .init()), of: &machine)
    #expect(next.place == 1)
  }

  @Test func `a short wait is waited for once, a long one is for the next`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let limited = Self.failure(.rateLimited, status: 429, retryAfter: "2")
    let first = try Self.step(machine.start(), of: &machine)
    let waited = try Self.step(
      machine.attemptFailed(first, limited, .init(wait: Machine.longestWait, jitter: 5)), of: &machine)
    #expect(waited.place == 0 && waited.reason == .retry && waited.delay == Machine.longestWait + 5)
    let next = try Self.step(
      machine.attemptFailed(waited, limited, .init(wait: Machine.longestWait)), of: &machine)
    #expect(next.place == 1 && next.delay == 0)

    var other = Self.machine(table)
    let start = try Self.step(other.start(), of: &other)
    let fallback = try Self.step(
      other.attemptFailed(start, limited, .init(wait: Machine.longestWait + 1)), of: &other)
    #expect(fallback.place == 1)
  }

  @Test func `all at capacity is a rate limit with the shortest wait`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    let next = try Self.step(
      machine.attemptFailed(
        first, Self.failure(.rateLimited, retryAfter: "30"), .init(wait: 30_000_000_000, floor: 30_000_000_000)),
      of: &machine)
    let error = try Self.error(
      machine.attemptFailed(
        next, Self.failure(.rateLimited, at: 1, retryAfter: "7"), .init(wait: 6_100_000_000, floor: 6_100_000_000)))
    #expect(error.code == .rateLimited)
    #expect(error.retryAfter == "7")
  }

  @Test func `429 without a word on when to come back is waited out once when nothing else is left`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let floor = Machine.Circumstances(floor: 1_000_000_000)
    let first = try Self.step(machine.start(), of: &machine)
    let next = try Self.step(machine.attemptFailed(first, Self.failure(.rateLimited), floor), of: &machine)
    #expect(next.place == 1 && next.delay == 0)
    let waited = try Self.step(machine.attemptFailed(next, Self.failure(.rateLimited, at: 1), floor), of: &machine)
    #expect(waited.place == 0 && waited.reason == .retry && waited.delay == 1_000_000_000)
    let error = try Self.error(machine.attemptFailed(waited, Self.failure(.rateLimited), floor))
    #expect(error.code == .rateLimited && error.retryAfter == "1")
  }

  @Test func `endpoints that may not be asked yet are not asked, and a short wait for them is waited once`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    guard case .attempt(let first) = machine.start(),
      case .attempt(let second) = machine.refused(first, .limited(5_000_000_000), jitter: 0),
      case .attempt(let waited) = machine.refused(second, .limited(1_500_000_000), jitter: 3)
    else { throw Unexpected() }
    #expect(waited.place == 1 && waited.reason == .first && waited.delay == 1_500_000_003)
    let error = try Self.error(machine.refused(waited, .limited(1_900_000_000), jitter: 0))
    #expect(error.code == .rateLimited && error.retryAfter == "2")
    #expect(error.attempts.isEmpty)
  }

  @Test func `endpoints that are out are passed over, and tried all the same when nothing else is left`() throws {
    let table = try Self.table(["", "", ""])
    var machine = Self.machine(table)
    guard case .attempt(let first) = machine.start() else { throw Unexpected() }
    let second = try Self.step(machine.refused(first, .breaker, jitter: 0), of: &machine)
    #expect(second.place == 1 && second.reason == .first)
    let third = try Self.step(machine.attemptFailed(second, Self.failure(.connect, at: 1), .init()), of: &machine)
    #expect(third.place == 2)
    let forced = try Self.step(machine.attemptFailed(third, Self.failure(.connect, at: 2), .init()), of: &machine)
    #expect(forced.place == 0 && forced.isForced && forced.charge == .always)
    _ = try Self.error(machine.attemptFailed(forced, Self.failure(.connect), .init()))
  }

  @Test func `a lone endpoint that is out is tried free of charge`() throws {
    let table = try Self.table([""])
    var machine = Self.machine(table)
    guard case .attempt(let first) = machine.start() else { throw Unexpected() }
    let forced = try Self.step(machine.refused(first, .breaker, jitter: 0), of: &machine)
    #expect(forced.isForced && forced.charge == .free && forced.reason == .first)
  }

  @Test func `one that was out is not tried again where it was`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    guard case .attempt(let first) = machine.start(),
      case .attempt(let second) = machine.refused(first, .breaker, jitter: 0)
    else { throw Unexpected() }
    let forced = try Self.step(machine.refused(second, .breaker, jitter: 0), of: &machine)
    #expect(forced.place == 0 && forced.isForced)
    let next = try Self.step(
      machine.attemptFailed(forced, Self.failure(.overloaded, status: 503), .init()), of: &machine)
    #expect(next.place == 1 && next.isForced && next.charge == .always)
  }

  @Test func `without a retry left the next is asked only if that is free`() throws {
    let table = try Self.table(["", ""])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    guard case .attempt(let again) = machine.attemptFailed(first, Self.failure(.serverError), .init()),
      case .attempt(let fallback) = machine.refused(again, .noBudget, jitter: 0)
    else { throw Unexpected() }
    #expect(again.reason == .retry && fallback.place == 1)
    let error = try Self.error(machine.refused(fallback, .noBudget, jitter: 0))
    #expect(error.code == .providerFailed && error.attempts.count == 1)
  }

  @Test func `after content nothing takes over unless the answer may be carried on`() throws {
    let table = try Self.table([", resume: prefill", ", resume: prefill", ""], other: true)
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    machine.contentReachedClient(from: 0)
    let cut = Self.failure(.truncated, delivered: true)
    let error = try Self.error(machine.attemptFailed(first, cut, .init()))
    #expect(error.code == .streamBroken)
  }

  @Test func `a cut answer is carried on by those of its model that know how, and at last by the one that broke off`()
    throws
  {
    let table = try Self.table([", resume: prefill", "", ", resume: completion"], other: true)
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    machine.contentReachedClient(from: 0)
    let cut = Self.failure(.truncated, delivered: true)
    let second = try Self.step(machine.attemptFailed(first, cut, .init(mayResume: true)), of: &machine)
    #expect(second.place == 2 && second.reason == .resume && second.charge == .unlessSound)
    let hasAnother = machine.hasUnaskedResume
    #expect(!hasAnother)
    let own = try Self.step(
      machine.attemptFailed(second, Self.failure(.connect, at: 2), .init(mayResume: true, jitter: 4)), of: &machine)
    #expect(own.place == 0 && own.reason == .resume && own.needsFreshConnection && own.delay == 4)
    let error = try Self.error(
      machine.attemptFailed(own, Self.failure(.serverError, status: 500), .init(mayResume: true)))
    #expect(error.code == .streamBroken)
    #expect(error.message.hasPrefix("p0 broke off"))
  }

  @Test func `one that stood still in the middle is not asked to carry on`() throws {
    let table = try Self.table([", resume: prefill"])
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    machine.contentReachedClient(from: 0)
    _ = try Self.error(
      machine.attemptFailed(first, Self.failure(.stalled, delivered: true), .init(mayResume: true)))
    // Not even when another was asked before and failed too.
    let pair = try Self.table([", resume: prefill", ", resume: prefill"])
    var other = Self.machine(pair)
    let start = try Self.step(other.start(), of: &other)
    other.contentReachedClient(from: 0)
    let second = try Self.step(
      other.attemptFailed(start, Self.failure(.stalled, delivered: true), .init(mayResume: true)), of: &other)
    #expect(second.place == 1 && second.reason == .resume)
    _ = try Self.error(other.attemptFailed(second, Self.failure(.connect, at: 1), .init(mayResume: true)))
  }

  @Test func `a second attempt goes to the plan's next of the same model, and the first's failure waits for it`() throws
  {
    let table = try Self.table(["", ""], other: true)
    var machine = Self.machine(table)
    let first = try Self.step(machine.start(), of: &machine)
    #expect(machine.hedgePlace(beside: first.place) == 1)
    let hedge = machine.hedge(beside: first.place)
    #expect(hedge?.place == 1 && hedge?.reason == .hedge)
    machine.attemptStarted()
    #expect(machine.hedgePlace(beside: 0) == nil, "the next has another model")
    #expect(machine.attemptFailed(first, Self.failure(.serverError), .init(hasRival: true)) == .goOn)
    let next = try Self.step(
      machine.attemptFailed(try #require(hedge), Self.failure(.connect, at: 1), .init()), of: &machine)
    #expect(next.place == 2)
  }

  @Test func `all too slow, all overloaded and all empty have words of their own`() throws {
    let table = try Self.table([""])
    for (failure, code) in [
      (FailureClass.headersTimeout, RouterError.Code.timedOut), (.overloaded, .overloaded),
      (.emptyCompletion, .emptyCompletion),
    ] {
      var machine = Self.machine(table)
      let first = try Self.step(machine.start(), of: &machine)
      let error = try Self.error(
        machine.attemptFailed(first, Self.failure(failure, status: 529), .init(elapsed: Machine.fastFailure)))
      #expect(error.code == code)
    }
  }

  @Test func `of thousands that failed a client is told of the last`() throws {
    let table = try Self.table([""])
    let count = 10_000
    var machine = Machine(
      plan: AttemptPlan(endpoints: Array(repeating: 0, count: count)), table: table, promptTokens: 1)
    var action = machine.start()
    while case .attempt(let step) = action {
      machine.attemptStarted()
      action = machine.attemptFailed(step, Self.failure(.connect), .init())
    }
    #expect(try Self.error(action).message.contains("(9984 more before; p0: it failed;"))
  }
}
