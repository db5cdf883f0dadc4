import Catalog
import Loop
import Metering
import Routing
import Upstream
import Wire

/// From a decision to an attempt that is sent.
extension Completion {
  /// An attempt that can be sent: its endpoint has an address, and the ledger has taken its opening.
  struct ReadyAttempt {
    var attempt: Attempt
    var target: UpstreamTarget
    var form: SentForm
    /// The body without signatures, where they had to go.
    var stripped: (body: [UInt8], scan: RequestScan)?
    /// Bytes that are sent.
    var length: Int
    var needsFreshConnection: Bool
  }

  enum NextStep {
    case attempt(ReadyAttempt)
    case end(RouterError)
  }

  /// Finds out what an action comes to. Candidates whose name has no address are passed over: nothing is sent to them, so
  /// there is no attempt to record.
  ///
  /// - Parameter last: the place that was tried last.
  func prepare(_ action: RelayStateMachine.Action, after last: Int) -> NextStep {
    var action = action
    var place = last
    while true {
      var reason = AttemptReason.staleConnection
      switch action {
      case .giveUp(let error): return .end(error)
      case .tryAgainFresh: break
      case .tryNext:
        reason = nextInPlan == 0 ? .first : .fallback
        place = decision.plan.endpoints[nextInPlan]
        nextInPlan += 1
        machine.attemptStarted()
      }
      let provider = table.endpoints[place].provider
      if let target = targets.target(provider: provider, kind: kind) {
        return prepare(place, target, reason)
      }
      action = machine.attemptFailed(
        FailedAttempt(
          provider: table.providers[provider].displayName, failure: .connect, message: "its name has no address"),
        connectionWasStale: false)
    }
  }

  private func prepare(_ place: Int, _ target: UpstreamTarget, _ reason: AttemptReason) -> NextStep {
    let attempt = Attempt(completion: self, id: relay.nextID(), place: place, startedAt: relay.loop.now)
    let stripped =
      decision.stripsSignatures(at: place)
      ? connection?.body.withSpan { request.strippingSignatures($0) } : nil
    let form = SentForm(table.endpoints[place], of: plan, for: request, in: table)
    attempt.left = LeftOut(parameters: form.dropping, signatures: stripped != nil)
    let length = form.length(of: stripped?.scan ?? request)
    attemptNumber &+= 1
    guard relay.sink.append(openRecord(attempt, reason, length)) else {
      attempt.isOver = true
      return .end(
        RouterError(
          .unavailable, source: .router, isRetryable: true,
          message: "the ledger cannot be written just now, so nothing was sent; try again in a moment"))
    }
    return .attempt(
      ReadyAttempt(
        attempt: attempt, target: target, form: form, stripped: stripped, length: length,
        needsFreshConnection: reason == .staleConnection))
  }

  func go(_ step: NextStep) {
    switch step {
    case .attempt(let ready): start(ready)
    case .end(let error): giveUp(error)
    }
  }

  private func start(_ ready: ReadyAttempt) {
    guard let connection else { return }
    let (attempt, form) = (ready.attempt, ready.form)
    if request.asksForStructure, let asked = connection.body.withSpan({ request.structureAsked($0) }) {
      attempt.sample = AnswerSample(tools: asked.tools, responseFormat: asked.responseFormat)
    }
    let timeouts = table.providers[table.endpoints[attempt.place].provider].timeouts.overridden(by: route.timeouts)
    var body = ByteBuffer()
    if let stripped = ready.stripped {
      body.reserve(ready.length)
      form.splice(stripped.body.span, stripped.scan) { body.append($0) }
    } else if ready.length > Self.copiedBodyLimit {
      attempt.sentBody = SplicedBody(request, of: connection, form: form)
    } else {
      // A small body is put together at once, so that it leaves in one write; a large one is read where it lies.
      body.reserve(ready.length)
      connection.body.withSpan { bytes in form.splice(bytes, request) { body.append($0) } }
    }
    let transfer = UpstreamTransfer(
      target: ready.target, attempt: (attempt.id.high, attempt.id.low), hop: hop + 1,
      body: body, source: attempt.sentBody,
      connectTimeout: Int(timeouts.connect.nanoseconds / 1_000_000), wantsFreshConnection: ready.needsFreshConnection,
      observer: attempt)
    attempt.transfer = transfer
    current = attempt
    let now = relay.loop.now
    if isStream {
      deadlines.headers = now &+ timeouts.headers.nanoseconds
      deadlines.firstToken = now &+ timeouts.firstToken.nanoseconds
    } else {
      // The head of an unstreamed answer comes when the answer is ready.
      deadlines.headers = now &+ timeouts.unstreamed.nanoseconds
    }
    deadlines.gap = timeouts.gap.nanoseconds
    rearm()
    health.attemptStarted(endpoint: attempt.place)
    attempt.isCounted = true
    relay.upstream.start(transfer)
  }

  /// Up to here libcurl 7.88 sends head and body together.
  private static let copiedBodyLimit = 60 << 10

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
}
