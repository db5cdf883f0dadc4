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
  /// The connection of a client that left while the attempt is read on.
  var departed: Connection?
  var machine: RelayStateMachine
  var attemptNumber: UInt16 = 0
  /// The attempt that the client's answer comes from, or is expected from.
  var current: Attempt?
  /// A second attempt beside it, until one of the two has content.
  var rival: Attempt?
  /// What is tried once its time has come.
  var waiting: RelayStateMachine.Step?
  var postponed: PostponedSettlement?
  var deadlines = CompletionDeadlines()
  /// What has to be known to carry the answer on elsewhere; `nil` where that is not allowed.
  var carried: CarriedAnswer?
  /// When the client was last sent something of the stream.
  var lastOutput: UInt64 = 0
  private var timer = -1
  var responseBegan = false
  private(set) var isOver = false

  var isStream: Bool { request.stream }
  var kind: RequestKind { request.kind }
  var route: Route { table.routes[asked.question.route] }
  /// The route's own plan, or that of the rule that matched.
  var plan: RoutePlan {
    let route = route
    return asked.question.rule.map { route.rules[$0].plan } ?? route.plan
  }

  /// - Parameter resumes: the client's own word on whether a cut answer may be carried on; `nil`: as the route says.
  init(
    relay: Relay, connection: Connection, request: RequestScan, asked: AskedQuestion, key: String, hop: Int,
    showsChoice: Bool, resumes: Bool?
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
    machine = RelayStateMachine(plan: decision.plan, table: table, promptTokens: asked.question.promptTokens)
    if resumes ?? table.routes[asked.question.route].resumes, request.isResumable,
      decision.plan.endpoints.contains(where: { table.endpoints[$0].traits.continuation != nil })
    {
      carried = CarriedAnswer()
    }
  }

  func start() {
    timer = relay.loop.addTimer(self)
    lastOutput = relay.loop.now
    if isStream { deadlines.heartbeatAt = lastOutput + CompletionDeadlines.heartbeat }
    guard !decision.plan.endpoints.isEmpty else { return giveUp(nobodyMayServe()) }
    health.noteFirstAttempt(route: asked.question.route)
    go(next(machine.start()))
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

  // MARK: - Time

  func rearm() {
    if isOver { return }
    var earliest = deadlines.next
    func take(_ other: UInt64?) {
      guard let other else { return }
      if earliest.map({ other < $0 }) ?? true { earliest = other }
    }
    take(current?.deadlines.next)
    take(rival?.deadlines.next)
    relay.loop.arm(timer, at: earliest)
  }

  func close() {
    if isOver { return }
    isOver = true
    settlePostponed(isFinal: true)
    departed?.returnTicket()
    if responseBegan { relay.streamsClosed &+= 1 }
    relay.loop.removeTimer(timer)
    current = nil
    rival = nil
    lastAttempt = nil
    relay.forget(self)
  }
  /// The one that was let go of last.
  var lastAttempt: Attempt?
}
