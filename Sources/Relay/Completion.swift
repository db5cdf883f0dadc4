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
  private let targets: EndpointTargets
  let health: EndpointHealth
  let request: RequestScan
  let kind: RequestKind
  /// The place in `RouteTable.routes`.
  let route: Int
  let key: String
  let hop: Int
  let id: RecordID
  /// `"gen-…"`, quotes included.
  let generationJSON: [UInt8]
  /// Seconds since 1970 as digits, the same in every event.
  let created: [UInt8]
  private(set) var connection: Connection?
  private(set) var machine: RelayStateMachine
  private let plan: AttemptPlan
  private var nextInPlan = 0
  private var attemptNumber: UInt16 = 0
  private(set) var current: Attempt?
  var deadlines = StreamDeadlines()
  /// When the client was last sent something of the stream.
  var lastOutput: UInt64 = 0
  private var timer = -1
  private var responseBegan = false
  private var isOver = false

  var isStream: Bool { request.stream }

  init(
    relay: Relay, connection: Connection, request: RequestScan, kind: RequestKind, route: Int, key: String, hop: Int
  ) {
    self.relay = relay
    self.connection = connection
    self.request = request
    self.kind = kind
    self.route = route
    self.key = key
    self.hop = hop
    table = relay.snapshot.table
    targets = relay.targets
    health = relay.snapshot.health
    id = relay.nextID()
    generationJSON = id.generationJSON
    created = relay.createdDigits
    plan = Selection.plan(for: route, in: table, health: health, now: relay.loop.now, using: &relay.random)
    machine = RelayStateMachine(candidates: plan.endpoints.count)
  }

  // MARK: - Attempts

  func start() {
    timer = relay.loop.addTimer(self)
    lastOutput = relay.loop.now
    if isStream { deadlines.heartbeatAt = lastOutput + StreamDeadlines.heartbeat }
    guard !plan.endpoints.isEmpty else {
      return giveUp(
        RouterError(
          .noEndpoints, source: .router, isRetryable: false,
          message: "the route \(table.routes[route].name) has no usable endpoint; see `pointsman check` for the reasons"
        ))
    }
    startNext(.first)
  }

  private func startNext(_ reason: AttemptReason) {
    let endpoint = plan.endpoints[nextInPlan]
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
    let model = table.endpoints[place].upstreamModelJSON
    let length = request.spliceLength(upstreamModel: model, askUsage: true)
    attemptNumber += 1
    guard relay.sink.append(openRecord(attempt, reason, length)) else {
      attempt.isOver = true
      return giveUp(
        RouterError(
          .unavailable, source: .router, isRetryable: true,
          message: "the ledger cannot be written just now, so nothing was sent; try again in a moment"))
    }
    let timeouts = table.providers[provider].timeouts.overridden(by: table.routes[route].timeouts)
    let isLarge = length > Self.copiedBodyLimit
    if isLarge { attempt.sentBody = SplicedBody(request, of: connection, model: model) }
    let transfer = UpstreamTransfer(
      target: target, attempt: (attempt.id.high, attempt.id.low), hop: hop + 1,
      body: isLarge ? ByteBuffer() : splicedBody(connection, model, length), source: attempt.sentBody,
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
    relay.upstream.start(transfer)
  }

  /// A small body is put together at once, so that it leaves in one write; a large one is read where it lies.
  private func splicedBody(_ connection: Connection, _ model: [UInt8], _ length: Int) -> ByteBuffer {
    var body = ByteBuffer()
    body.reserve(length)
    connection.body.withSpan { bytes in
      request.splice(bytes, upstreamModel: model, askUsage: true) { body.append($0) }
    }
    return body
  }
  /// Up to here libcurl 7.88 sends head and body together.
  private static let copiedBodyLimit = 60 << 10

  private func openRecord(_ attempt: Attempt, _ reason: AttemptReason, _ bytes: Int) -> AttemptOpened {
    let place = attempt.place
    var record = AttemptOpened(
      id: attempt.id, completion: id, unixMilliseconds: UInt64(clamping: relay.loop.wallMilliseconds))
    record.key = key
    record.route = table.routes[route].name
    record.model = table.models[table.endpoints[place].model].name
    record.provider = table.providers[table.endpoints[place].provider].name
    record.endpoint = table.endpoints[place].id
    record.attempt = attemptNumber
    record.reason = reason
    record.priceVersion = table.endpoints[place].price?.version ?? 0
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
    if !isClientFault, !isStale {
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

  private func follow(_ action: RelayStateMachine.Action, at place: Int) {
    switch action {
    case .tryNext: startNext(.fallback)
    case .tryAgainFresh: startAttempt(at: place, .staleConnection, fresh: true)
    case .giveUp(let error): giveUp(error)
    }
  }

  /// Lets go of an attempt that is settled.
  private func drop(_ attempt: Attempt) {
    if let transfer = attempt.transfer { relay.upstream.cancel(transfer) }
    attempt.transfer = nil
    current = nil
    lastAttempt = attempt
    deadlines.endAttempt()
  }
  private var lastAttempt: Attempt?

  // MARK: - The client's side

  /// The stream's first content: the response starts, and from here on there is no other candidate.
  func contentBegan(_ attempt: Attempt) {
    if machine.hasDeliveredContent { return }
    machine.contentReachedClient()
    deadlines.firstToken = nil
    deadlines.lastProgress = relay.loop.now
    rearm()
    guard let connection else { return }
    if !responseBegan { beginResponse(connection, attempt) }
    attempt.held.withSpan { connection.stream($0) }
    attempt.held.removeAll()
    attempt.held.release()
    if attempt.sentBody?.isSent ?? true { connection.releaseBody() }
    lastOutput = relay.loop.now
    if attempt.finish != nil { holdFinish() }
  }

  private func beginResponse(_ connection: Connection, _ attempt: Attempt?) {
    responseBegan = true
    relay.streamsOpened &+= 1
    connection.beginStream(status: 200, contentType: "text/event-stream; charset=utf-8") { out in
      out.append("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n")
      appendIdentity(to: &out, attempt)
    }
  }

  /// `x-request-id`, `X-Generation-Id` and, when it is known, who served.
  private func appendIdentity(to out: inout ByteBuffer, _ attempt: Attempt?) {
    out.append("x-request-id: ")
    out.append(uuid: (id.high, id.low))
    out.append("\r\nX-Generation-Id: ")
    generationJSON.withUnsafeBytes { out.append(UnsafeRawBufferPointer(rebasing: $0.dropFirst().dropLast())) }
    out.append("\r\n")
    guard let attempt else { return }
    out.append(targets.servedFields(of: attempt.place))
    out.append("X-Pointsman-Attempts: ")
    out.append(decimal: Int(attemptNumber))
    out.append("\r\n")
  }

  func holdFinish() {
    deadlines.finishHeldAt = relay.loop.now
    rearm()
  }

  func setEndGrace(_ nanoseconds: UInt64) {
    deadlines.endGrace = relay.loop.now &+ nanoseconds
    rearm()
  }

  /// After a piece of the stream: its end may have been seen, or the client may be reading too slowly.
  func afterStreamBytes(_ attempt: Attempt) {
    if attempt.sawDone, !attempt.isComplete {
      return attempt.fail(.truncated, "the stream said [DONE] before the answer was finished")
    }
    if attempt.isComplete {
      // The body's own end is usually in the same read. If it is not, what is known goes out at once; a usage that has
      // not come yet gets a moment, and so does a missing `[DONE]`.
      let grace: UInt64 = !attempt.sawDone ? 2_000_000_000 : attempt.tally.usage == nil ? 250_000_000 : 1_000_000
      let end = relay.loop.now &+ grace
      if deadlines.endGrace.map({ end < $0 }) ?? true { setEndGrace(grace) }
    }
    if let connection, !deadlines.isPaused, connection.notePressure(), let transfer = attempt.transfer {
      deadlines.isPaused = true
      relay.upstream.pause(transfer)
    }
  }

  func outputDrained() {
    guard deadlines.isPaused, let transfer = current?.transfer else { return }
    deadlines.isPaused = false
    if deadlines.lastProgress != nil { deadlines.lastProgress = relay.loop.now }
    rearm()
    relay.upstream.resume(transfer)
  }

  func clientLeft() {
    connection = nil
    relay.clientsLeft &+= 1
    guard let attempt = current else { return close() }
    if case .drain(let bound) = table.routes[route].onClientLeave {
      deadlines.drain = relay.loop.now &+ bound.nanoseconds
      deadlines.heartbeatAt = nil
      if deadlines.isPaused, let transfer = attempt.transfer {
        deadlines.isPaused = false
        relay.upstream.resume(transfer)
      }
      return rearm()
    }
    attempt.settle(.cancelled, .clientLeft, isFinal: true)
    drop(attempt)
    close()
  }

  // MARK: - Endings

  /// Every choice has finished: record it, then let the client see the end.
  func completeStream(_ attempt: Attempt) {
    guard attempt === current, !attempt.isOver else { return }
    if attempt.tally.firstContentAt == nil, attempt.tally.isEmptyCompletion {
      return attempt.fail(.emptyCompletion, "it finished without a single token")
    }
    contentBegan(attempt)
    attempt.releaseFinish()
    attempt.emitUsageChunkIfOwed()
    succeed(attempt)
    if let connection {
      connection.stream("data: [DONE]\n\n")
      connection.needsDurability = true
      connection.endStream()
    }
    linger(attempt)
  }

  func completeUnstreamed(_ attempt: Attempt) {
    guard attempt === current, !attempt.isOver else { return }
    let refusal: (FailureClass, String)? = attempt.collected.withSpan { body in
      guard let scan = try? ChunkScan.scan(body) else { return (.badResponse, "its answer is not valid JSON") }
      if scan.error != nil {
        let said = ProviderError.scan(body)
        return (.errorEvent, said.message ?? "it answered with an error")
      }
      guard (scan.choiceCount ?? 0) > 0 else { return (.badResponse, "its answer has no choices") }
      attempt.tally.note(scan, body, isWhole: true)
      if attempt.tally.isEmptyCompletion { return (.emptyCompletion, "it finished without a single token") }
      succeed(attempt)
      respondUnstreamed(attempt, body, scan)
      return nil
    }
    if let (failure, message) = refusal { return attempt.fail(failure, message) }
    linger(attempt)
  }

  private func respondUnstreamed(_ attempt: Attempt, _ body: Span<UInt8>, _ scan: ChunkScan) {
    guard let connection else { return }
    var length = 0
    scan.rewrite(body, identity: attempt.identity, usage: .keep, cost: nil) { length += $0.count }
    connection.needsDurability = true
    connection.respond(
      status: 200, contentType: "application/json", length: length,
      fields: { out in
        appendIdentity(to: &out, attempt)
        if let cost = attempt.costLiteral {
          out.append("X-Pointsman-Cost-USD: ")
          out.append(cost)
          out.append("\r\n")
        }
      },
      write: { out in
        scan.rewrite(body, identity: attempt.identity, usage: .keep, cost: nil) { out.append($0) }
      })
  }

  private func succeed(_ attempt: Attempt) {
    health.record(endpoint: attempt.place, succeeded: true, now: relay.loop.now)
    if connection == nil {
      attempt.settle(.cancelled, .clientLeft, isFinal: true)
    } else {
      attempt.settle(.completed, .none, isFinal: true)
    }
  }

  /// The client has its answer; the transfer gets two seconds to end by itself, so that its connection can be used
  /// again.
  private func linger(_ attempt: Attempt) {
    connection = nil
    guard attempt.transfer != nil else {
      current = nil
      return close()
    }
    deadlines = StreamDeadlines()
    setEndGrace(2_000_000_000)
  }

  func lingeringEnded(_ attempt: Attempt) {
    guard attempt === current else { return }
    current = nil
    close()
  }

  private func giveUp(_ error: RouterError) {
    guard let connection else { return close() }
    connection.needsDurability = true
    if responseBegan || machine.hasDeliveredContent {
      sendErrorEvent(error, on: connection)
    } else {
      relay.presenter.respond(error, on: connection, completion: id)
    }
    self.connection = nil
    close()
  }

  private func sendErrorEvent(_ error: RouterError, on connection: Connection) {
    let presented = relay.presenter.inBand(error)
    let attempt = current ?? lastAttempt
    let identity =
      attempt?.identity
      ?? ChunkIdentity(
        id: generationJSON, created: created, model: JSONText.quoted(table.routes[route].name),
        provider: JSONText.quoted("pointsman"))
    let event = ErrorEvent(code: presented.code, message: error.message, errorType: presented.type)
    let unfinished = attempt?.tally.finished.missing(below: request.choiceCount) ?? [0]
    connection.stream { out in
      out.append("data: ")
      out.append(event.data(kind, identity: identity, unfinished: unfinished.isEmpty ? [0] : unfinished))
      out.append("\n\n")
    }
    connection.endStream()
  }

  /// The process is stopping: what runs ends with an honest error.
  func routerStops() {
    guard let attempt = current, !attempt.isOver else { return }
    attempt.settle(.interrupted, .routerStopped, isFinal: true)
    drop(attempt)
    giveUp(
      RouterError(
        .unavailable, source: .router, isRetryable: true,
        message: "the router is stopping; send the request again"))
  }

  private func close() {
    if isOver { return }
    isOver = true
    if responseBegan { relay.streamsClosed &+= 1 }
    relay.loop.removeTimer(timer)
    current = nil
    lastAttempt = nil
    relay.forget(self)
  }

  // MARK: - Deadlines

  private func rearm() {
    if !isOver { relay.loop.arm(timer, at: deadlines.next) }
  }

  func timerFired(now: UInt64) {
    while !isOver, let expired = deadlines.expired(now: now) { handle(expired, now) }
    rearm()
  }

  private func handle(_ expired: StreamDeadlines.Expired, _ now: UInt64) {
    guard let attempt = current else {
      deadlines = StreamDeadlines()
      return
    }
    switch expired {
    case .headers: attempt.fail(.headersTimeout, "no response within the headers deadline")
    case .firstToken: attempt.fail(.firstTokenTimeout, "no first token within its deadline")
    case .gap: attempt.fail(.stalled, "it stopped in the middle of the answer")
    case .finishHold:
      deadlines.finishHeldAt = nil
      attempt.releaseFinish()
    case .endGrace:
      deadlines.endGrace = nil
      if attempt.isOver {
        drop(attempt)
        close()
      } else if attempt.isComplete {
        completeStream(attempt)
      } else {
        attempt.failByStatus()
      }
    case .heartbeat: heartbeat(now)
    case .drain:
      attempt.settle(.cancelled, .clientLeft, isFinal: true)
      drop(attempt)
      close()
    }
  }

  /// A comment every 10 s of silence, for as long as the deadlines above still run.
  private func heartbeat(_ now: UInt64) {
    guard let connection else {
      deadlines.heartbeatAt = nil
      return
    }
    if now &- lastOutput >= StreamDeadlines.heartbeat {
      if !responseBegan { beginResponse(connection, nil) }
      connection.stream(": POINTSMAN PROCESSING\n\n")
      lastOutput = now
    }
    deadlines.heartbeatAt = lastOutput &+ StreamDeadlines.heartbeat
  }
}
