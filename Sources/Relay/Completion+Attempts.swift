import Catalog
import Loop
import Metering
import Routing
import Upstream
import Wire

/// From what the state machine wants to an attempt that is sent.
extension Completion {
  /// An attempt that can be sent: its endpoint lets it in, and the ledger has taken its opening.
  struct ReadyAttempt {
    var attempt: Attempt
    var target: UpstreamTarget
    var form: SentForm
    /// The body, where it is not the client's: without signatures, or with what was delivered behind it.
    var changed: (body: [UInt8], scan: RequestScan)?
    /// Bytes that are sent.
    var length: Int
  }

  enum NextStep {
    case attempt(ReadyAttempt)
    case wait(RelayStateMachine.Step)
    /// Another attempt is under way.
    case goOn
    case end(RouterError)
  }

  /// Finds out what an action comes to: endpoints that cannot be asked just now are passed over; nothing is sent to them,
  /// so there is no attempt to record.
  func next(_ action: RelayStateMachine.Action) -> NextStep {
    var action = action
    while true {
      switch action {
      case .goOn: return .goOn
      case .giveUp(let error): return .end(error)
      case .attempt(let step):
        if step.delay > 0 { return .wait(step) }
        switch take(step) {
        case .success(let taken): return open(taken)
        case .failure(let refusal): action = machine.refused(step, refusal.why, jitter: jitter)
        }
      }
    }
  }

  func go(_ step: NextStep) {
    switch step {
    case .attempt, .goOn: settlePostponed(isFinal: false)
    case .end: settlePostponed(isFinal: true)
    case .wait: break
    }
    switch step {
    case .attempt(let ready):
      current = ready.attempt
      start(ready)
      awaitHedge(ready.attempt)
    case .wait(let step):
      waiting = step
      deadlines.step = relay.loop.now &+ step.delay
      rearm()
    case .goOn: rearm()
    case .end(let error): giveUp(error)
    }
  }

  /// Nanoseconds, so that what failed together is not tried again together.
  var jitter: UInt64 { relay.random.next() % RelayStateMachine.longestJitter }

  // MARK: - Taking a step

  /// What was reserved for an attempt.
  struct TakenStep {
    var step: RelayStateMachine.Step
    var target: UpstreamTarget
    var key: Int
    /// It is the one probe of an endpoint, or of a provider, that was out.
    var isProbe: Bool
    /// The request that goes on behind what was delivered.
    var continued: (body: [UInt8], scan: RequestScan)?
  }

  struct RefusedStep: Error {
    var why: RelayStateMachine.Refusal
  }

  func take(_ step: RelayStateMachine.Step) -> Result<TakenStep, RefusedStep> {
    func refuse(_ why: RelayStateMachine.Refusal) -> Result<TakenStep, RefusedStep> { .failure(RefusedStep(why: why)) }
    let now = relay.loop.now
    let provider = table.endpoints[step.place].provider
    guard targets.hasAddress(provider) else { return refuse(.noAddress) }
    let tried = step.tries.keys
    let hasKey =
      health.hasKey(endpoint: step.place, tried: tried, now: now)
      || step.isForced && health.anyKey(endpoint: step.place, tried: tried, now: now) != nil
    if !hasKey {
      let limited = health.rateLimitedFor(endpoint: step.place, now: now) ?? 0
      return refuse(limited > 0 ? .limited(limited) : .noKey)
    }
    var continued: (body: [UInt8], scan: RequestScan)?
    if machine.hasDeliveredContent {
      continued = continuation(at: step.place)
      if continued == nil { return refuse(.noContinuation) }
    }
    let isSound = step.charge == .unlessSound && health.isClosed(endpoint: step.place, now: now)
    let admission: EndpointHealth.Admission =
      step.isForced ? .granted : health.admit(endpoint: step.place, now: now)
    if admission == .refused { return refuse(.breaker) }
    func refuseAdmitted(_ why: RelayStateMachine.Refusal) -> Result<TakenStep, RefusedStep> {
      if admission == .probe { health.releaseProbe(endpoint: step.place) }
      return refuse(why)
    }
    if step.charge != .free, !isSound, !health.takeRetry(route: asked.question.route) {
      return refuseAdmitted(.noBudget)
    }
    // Last, since a key that was retired is given to one request alone.
    let free = health.key(endpoint: step.place, tried: tried, now: now)
    let key = free ?? (step.isForced ? health.anyKey(endpoint: step.place, tried: tried, now: now) : nil)
    guard let key else { return refuseAdmitted(.noKey) }
    return .success(
      TakenStep(
        step: step, target: targets.target(provider: provider, key: key, kind: continued?.scan.kind ?? kind), key: key,
        isProbe: admission == .probe, continued: continued))
  }

  /// Records the attempt; from then on it counts as made.
  func open(_ taken: TakenStep) -> NextStep {
    let place = taken.step.place
    let attempt = Attempt(completion: self, id: relay.nextID(), step: taken.step, startedAt: relay.loop.now)
    attempt.key = taken.key
    attempt.isProbe = taken.isProbe
    if taken.continued != nil, let carried {
      let echoes = table.endpoints[place].traits.continuation == .echoedPrefill
      attempt.seam = Seam(delivered: carried.delivered.text, echoes: echoes)
    }
    attempt.step.tries.keys |= 1 << UInt64(min(taken.key, 63))
    var changed = taken.continued
    var isStripped = false
    if decision.stripsSignatures(at: place),
      let stripped = changed.map({ $0.scan.strippingSignatures($0.body.span) })
        ?? connection?.body.withSpan({ request.strippingSignatures($0) })
    {
      changed = stripped
      isStripped = true
    }
    let form = SentForm(table.endpoints[place], of: plan, for: request, in: table)
    attempt.left = LeftOut(parameters: form.dropping, signatures: isStripped)
    let length = form.length(of: changed?.scan ?? request)
    attemptNumber &+= 1
    guard relay.sink.append(openRecord(attempt, length)) else {
      attempt.isOver = true
      if attempt.isProbe { health.releaseProbe(endpoint: place) }
      return .end(
        RouterError(
          .unavailable, source: .router, isRetryable: true,
          message: "the ledger cannot be written just now, so nothing was sent; try again in a moment"))
    }
    machine.attemptStarted()
    return .attempt(
      ReadyAttempt(attempt: attempt, target: taken.target, form: form, changed: changed, length: length))
  }

  func start(_ ready: ReadyAttempt) {
    guard let connection else { return }
    let (attempt, form) = (ready.attempt, ready.form)
    if request.asksForStructure, let asked = connection.body.withSpan({ request.structureAsked($0) }) {
      attempt.sample = AnswerSample(tools: asked.tools, responseFormat: asked.responseFormat)
    }
    let timeouts = table.providers[table.endpoints[attempt.place].provider].timeouts.overridden(by: route.timeouts)
    var body = ByteBuffer()
    if let changed = ready.changed {
      body.reserve(ready.length)
      form.splice(changed.body.span, changed.scan) { body.append($0) }
    } else if ready.length > Self.copiedBodyLimit {
      attempt.sentBody = SplicedBody(request, of: connection, form: form)
    } else {
      // A small body is put together at once, so that it leaves in one write; a large one is read where it lies.
      body.reserve(ready.length)
      connection.body.withSpan { bytes in form.splice(bytes, request) { body.append($0) } }
    }
    let isRendered = ready.changed.map { $0.scan.kind != kind } ?? false
    let transfer = UpstreamTransfer(
      target: ready.target, attempt: (attempt.id.high, attempt.id.low), hop: hop + 1,
      body: body, source: attempt.sentBody,
      connectTimeout: Int(timeouts.connect.nanoseconds / 1_000_000),
      wantsFreshConnection: attempt.step.needsFreshConnection, observer: isRendered ? ChatFromText(attempt) : attempt)
    attempt.transfer = transfer
    let now = relay.loop.now
    if isStream {
      attempt.deadlines.headers = now &+ timeouts.headers.nanoseconds
      attempt.deadlines.firstToken = now &+ firstTokenTime(at: attempt.place, at: timeouts.firstToken.nanoseconds)
    } else {
      // The head of an unstreamed answer comes when the answer is ready.
      attempt.deadlines.headers = now &+ timeouts.unstreamed.nanoseconds
    }
    attempt.deadlines.gap = timeouts.gap.nanoseconds
    rearm()
    health.attemptStarted(endpoint: attempt.place)
    attempt.isCounted = true
    relay.upstream.start(transfer)
  }

  /// Up to here libcurl 7.88 sends head and body together.
  private static let copiedBodyLimit = 60 << 10

  /// Nanoseconds that the first token may take: what is configured, or less where the endpoint is known to be faster.
  private func firstTokenTime(at place: Int, at configured: UInt64) -> UInt64 {
    let snapshot = relay.snapshot
    guard snapshot.table === table else { return configured }
    return snapshot.knowledge.firstTokenDeadline(
      place, promptTokens: asked.question.promptTokens, configured: configured)
  }

  private func openRecord(_ attempt: Attempt, _ bytes: Int) -> AttemptOpened {
    let place = attempt.place
    var record = AttemptOpened(
      id: attempt.id, completion: id, unixMilliseconds: UInt64(clamping: relay.loop.wallMilliseconds))
    record.key = key
    record.route = route.name
    record.model = table.models[table.endpoints[place].model].name
    record.provider = table.providers[table.endpoints[place].provider].name
    record.endpoint = table.endpoints[place].id
    record.attempt = attemptNumber
    record.reason = attempt.step.reason
    if let rule = asked.question.rule { record.rule = route.rules[rule].name }
    record.priceVersion = price(at: place)?.version ?? 0
    record.promptBytes = UInt64(bytes)
    record.streamed = isStream
    return record
  }
}
