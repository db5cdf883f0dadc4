import Catalog
import HTTP
import Loop
import Metering
import Routing
import Upstream
import Wire

/// One client request from first byte to record. Belongs to one loop.
final class Completion: Exchange, TimerTarget {
  let relay: Relay
  let table: RouteTable
  /// Those of `table`: its places mean nothing in a later one.
  let targets: EndpointTargets
  let health: EndpointHealth
  let request: RequestScan
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
  private var nextInPlan = 0
  private(set) var attemptNumber: UInt16 = 0
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
    startNext(.first)
  }

  private func startNext(_ reason: AttemptReason) {
    let endpoint = decision.plan.endpoints[nextInPlan]
    nextInPlan += 1
    machine.attemptStarted()
    startAttempt(at: endpoint, reason, fresh: false)
  }

  private func startAttempt(at place: Int, _ reason: AttemptReason, fresh: Bool) {
    guard let connection else { return }
    let now = relay.loop.now
    let provider = table.endpoints[place].provider
    let attempt = Attempt(completion: self, id: relay.nextID(), place: place, startedAt: now)
    guard let target = targets.target(provider: provider, kind: kind) else {
      // Nothing is sent, so there is no attempt to record.
      attempt.isOver = true
      return follow(
        machine.attemptFailed(
          FailedAttempt(provider: attempt.providerName, failure: .connect, message: "its name has no address"),
          connectionWasStale: false), at: place)
    }
    let stripped =
      decision.stripsSignatures(at: place)
      ? connection.body.withSpan { request.strippingSignatures($0) } : nil
    let form = SentForm(table.endpoints[place], of: plan, for: request, in: table)
    if request.asksForStructure, let asked = connection.body.withSpan({ request.structureAsked($0) }) {
      attempt.sample = AnswerSample(tools: asked.tools, responseFormat: asked.responseFormat)
    }
    attempt.left = LeftOut(parameters: form.dropping, signatures: stripped != nil)
    let length = form.length(of: stripped?.scan ?? request)
    attemptNumber += 1
    guard relay.sink.append(openRecord(attempt, reason, length)) else {
      attempt.isOver = true
      return giveUp(
        RouterError(
          .unavailable, source: .router, isRetryable: true,
          message: "the ledger cannot be written just now, so nothing was sent; try again in a moment"))
    }
    let timeouts = table.providers[provider].timeouts.overridden(by: route.timeouts)
    let isLarge = length > Self.copiedBodyLimit && stripped == nil
    if isLarge { attempt.sentBody = SplicedBody(request, of: connection, form: form) }
    var body = ByteBuffer()
    if let stripped {
      body.reserve(length)
      form.splice(stripped.body.span, stripped.scan) { body.append($0) }
    } else if !isLarge {
      // A small body is put together at once, so that it leaves in one write; a large one is read where it lies.
      body.reserve(length)
      connection.body.withSpan { bytes in form.splice(bytes, request) { body.append($0) } }
    }
    let transfer = UpstreamTransfer(
      target: target, attempt: (attempt.id.high, attempt.id.low), hop: hop + 1,
      body: body, source: attempt.sentBody,
      connectTimeout: Int(timeouts.connect.nanoseconds / 1_000_000), wantsFreshConnection: fresh, observer: attempt)
    attempt.transfer = transfer
    current = attempt
    if isStream {
      deadlines.headers = now &+ timeouts.headers.nanoseconds
      deadlines.firstToken = now &+ timeouts.firstToken.nanoseconds
    } else {
      // The head of an unstreamed answer comes when the answer is ready.
      deadlines.headers = now &+ timeouts.unstreamed.nanoseconds
    }
    deadlines.gap = timeouts.gap.nanoseconds
    rearm()
    health.attemptStarted(endpoint: place)
    attempt.isCounted = true
    relay.upstream.start(transfer)
  }

  /// Up to here libcurl 7.88 sends head and body together.
  private static let copiedBodyLimit = 60 << 10

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
        message: "every endpoint of \(route.name) that may serve this request is at capacity; send it again in a moment "
          + "(\(told))", retryAfter: "1")
      : RouterError(
        .noEndpoints, source: .router, isRetryable: false,
        message: "no endpoint of \(route.name) may serve this request: \(told). Change the request, or the route's limits.")
    error.rejections = explanation.rejectionsJSON(table)
    error.excludedBy = explanation.excludedBy
    return error
  }

  private func openRecord(_ attempt: Attempt, _ reason: AttemptReason, _ bytes: Int) -> AttemptOpened {
    let place = attempt.place
    var record = AttemptOpened(
      id: attempt.id, completion: id, unixMilliseconds: UInt64(clamping: relay.loop.wallMilliseconds))
    record.key = key
    record.route = route.name
    record.model = table.models[table.endpoints[place].model].name
    record.provider = table.providers[table.endpoints[place].provider].name
    record.endpoint = table.endpoints[place].id
    record.attempt = attemptNumber
    record.reason = reason
    if let rule = asked.question.rule { record.rule = route.rules[rule].name }
    record.priceVersion = price(at: place)?.version ?? 0
    record.promptBytes = UInt64(bytes)
    record.streamed = isStream
    return record
  }

  func attemptFailed(
    _ attempt: Attempt, _ failure: FailureClass, _ message: String, isStale: Bool = false, isClientFault: Bool = false
  ) {
    guard attempt === current, !attempt.isOver else { return }
    let failed = FailedAttempt(
      provider: attempt.providerName, failure: failure, status: attempt.head?.status, message: message,
      retryAfter: attempt.head?.retryAfter, isClientFault: isClientFault)
    let delivered = machine.hasDeliveredContent
    let action = connection == nil ? nil : machine.attemptFailed(failed, connectionWasStale: isStale)
    let isFinal = if case .giveUp = action { true } else { action == nil }
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
    if let action {
      follow(action, at: attempt.place)
    } else {
      close()
    }
  }

  /// Nanoseconds to leave an endpoint alone that answered 429: what it asked for in seconds, or 5 s.
  private static func wait(asked text: String?) -> UInt64 {
    guard let text, let seconds = UInt64(text), seconds > 0 else { return 5_000_000_000 }
    return min(seconds, 300) * 1_000_000_000
  }

  private func follow(_ action: RelayStateMachine.Action, at place: Int) {
    switch action {
    case .tryNext: startNext(.fallback)
    case .tryAgainFresh: startAttempt(at: place, .staleConnection, fresh: true)
    case .giveUp(let error): giveUp(error)
    }
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
