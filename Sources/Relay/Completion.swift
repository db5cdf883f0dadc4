import Catalog
import HTTP
import Loop
import Metering
import Routing
import Wire

/// One client request from first byte to record. Belongs to one loop.
final class Completion: Exchange, TimerTarget {
  let relay: Relay
  let table: RouteTable
  /// Those of `table`: its places mean nothing in a later one.
  let targets: EndpointTargets
  let health: EndpointHealth
  var request: RequestScan
  let asked: AskedQuestion
  let decision: Decision
  let key: String
  let hop: Int
  /// How the choice was made, when the client wants to see it.
  let choice: ChoiceMetadata?
  let id: RecordID
  /// `"gen-…"`, quotes included.
  let generationJSON: [UInt8]
  /// Seconds since 1970 as digits, the same in every event.
  let created: [UInt8]
  var connection: Connection?
  var machine: RelayStateMachine
  var nextInPlan = 0
  var attemptNumber: UInt16 = 0
  var current: Attempt?
  var deadlines = StreamDeadlines()
  /// When the client was last sent something of the stream.
  var lastOutput: UInt64 = 0
  private(set) var timer = -1
  var responseBegan = false
  var isOver = false

  var isStream: Bool { request.stream }
  var kind: RequestKind { request.kind }
  var route: Route { table.routes[asked.question.route] }
  /// The route's own plan, or that of the rule that matched.
  var plan: RoutePlan {
    let route = route
    return asked.question.rule.map { route.rules[$0].plan } ?? route.plan
  }

  init(
    relay: Relay, connection: Connection, request: RequestScan, asked: AskedQuestion, key: String, hop: Int,
    showsChoice: Bool
  ) {
    self.relay = relay
    self.connection = connection
    self.request = request
    self.asked = asked
    self.key = key
    self.hop = hop
    table = relay.snapshot.table
    targets = relay.targets
    health = relay.snapshot.health
    id = relay.nextID()
    generationJSON = id.generationJSON
    created = relay.createdDigits
    if showsChoice {
      let explanation = relay.selection.explain(asked.question, using: &relay.random)
      choice = ChoiceMetadata(explanation: explanation, table: table)
      decision = explanation.decision
    } else {
      choice = nil
      decision = relay.selection.decide(asked.question, using: &relay.random)
    }
    machine = RelayStateMachine(candidates: decision.plan.endpoints.count)
  }

  // MARK: - Attempts

  func start() {
    timer = relay.loop.addTimer(self)
    lastOutput = relay.loop.now
    if isStream { deadlines.heartbeatAt = lastOutput + StreamDeadlines.heartbeat }
    guard !decision.plan.endpoints.isEmpty else { return giveUp(nobodyMayServe()) }
    go(prepare(.tryNext, after: decision.plan.endpoints[0]))
  }

  /// The price of this request at an endpoint.
  ///
  /// - Parameter tokens: of the prompt, once the provider has counted them.
  func price(at place: Int, promptTokens tokens: Int64? = nil) -> Price? {
    table.endpoints[place].price(
      promptTokens: tokens ?? asked.question.promptTokens, minuteOfDay: asked.question.minuteOfDay)
  }

  /// Why there is nothing to try, with a reason for each candidate, by the code that decided it.
  private func nobodyMayServe() -> RouterError {
    let explanation = relay.selection.explain(asked.question, using: &relay.random)
    guard !explanation.candidates.isEmpty else {
      return RouterError(
        .noEndpoints, source: .router, isRetryable: false,
        message: "the route \(route.name) has no usable endpoint; see `pointsman check` for the reasons")
    }
    var reasons: [String] = []
    for candidate in explanation.candidates.prefix(8) {
      guard case .rejected(let rejection) = candidate.verdict else { continue }
      reasons.append("\(table.endpoints[candidate.place].id) \(rejection.reason)")
    }
    if explanation.candidates.count > 8 { reasons.append("and \(explanation.candidates.count - 8) more") }
    let told = reasons.joined(separator: "; ")
    var error =
      decision.isFull
      ? RouterError(
        .rateLimited, source: .router, isRetryable: true,
        message:
          "every endpoint of \(route.name) that may serve this request is at capacity; send it again in a moment "
          + "(\(told))", retryAfter: "1")
      : RouterError(
        .noEndpoints, source: .router, isRetryable: false,
        message:
          "no endpoint of \(route.name) may serve this request: \(told). Change the request, or the route's limits.")
    error.rejections = explanation.rejectionsJSON(table)
    error.excludedBy = explanation.excludedBy
    return error
  }

  /// - Parameter status: what a failure inside a response of another status says of itself.
  func attemptFailed(
    _ attempt: Attempt, _ failure: FailureClass, _ message: String, status: Int? = nil, isStale: Bool = false,
    isClientFault: Bool = false
  ) {
    guard attempt === current, !attempt.isOver else { return }
    let failed = FailedAttempt(
      provider: attempt.providerName, failure: failure, status: status ?? attempt.head?.status, message: message,
      retryAfter: attempt.head?.retryAfter, isClientFault: isClientFault)
    let delivered = machine.hasDeliveredContent
    // What comes next is known before this one's record is: it tells whether it is the last.
    let next: NextStep? =
      connection == nil
      ? nil : prepare(machine.attemptFailed(failed, connectionWasStale: isStale), after: attempt.place)
    let isFinal = if case .attempt = next { false } else { true }
    if failure == .rateLimited {
      // Not a fault, and not an outage: it says itself when it has room again.
      health.limit(endpoint: attempt.place, for: Self.wait(asked: attempt.head?.retryAfter), now: relay.loop.now)
    } else if !isClientFault, !isStale {
      health.record(endpoint: attempt.place, succeeded: false, now: relay.loop.now)
    }
    attempt.settle(
      connection == nil ? .cancelled : delivered ? .interrupted : .failed, connection == nil ? .clientLeft : failure,
      isFinal: isFinal)
    drop(attempt)
    if let next { go(next) } else { close() }
  }

  /// Nanoseconds to leave an endpoint alone that answered 429: what it asked for in seconds, or 5 s.
  private static func wait(asked text: String?) -> UInt64 {
    guard let text, let seconds = UInt64(text), seconds > 0 else { return 5_000_000_000 }
    return min(seconds, 300) * 1_000_000_000
  }

  /// Lets go of an attempt that is settled.
  func drop(_ attempt: Attempt) {
    if let transfer = attempt.transfer { relay.upstream.cancel(transfer) }
    attempt.transfer = nil
    current = nil
    lastAttempt = attempt
    deadlines.endAttempt()
  }
  var lastAttempt: Attempt?
}
