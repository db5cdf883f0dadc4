import Catalog
import Loop
import Metering
import Routing
import Upstream
import Wire

/// One try at one endpoint: what was sent, what came back, and the one record of it. Belongs to one loop.
final class Attempt: UpstreamObserver {
  let completion: Completion
  let id: RecordID
  /// Why it was made, and what was tried before it.
  var step: RelayStateMachine.Step
  /// The place in `RouteTable.endpoints`.
  var place: Int { step.place }
  /// The place in `Provider.credentials`.
  var key = 0
  /// It is the one probe of an endpoint that was out; its verdict is owed.
  var isProbe = false
  let startedAt: UInt64
  var deadlines = StreamDeadlines()
  let identity: ChunkIdentity
  var transfer: UpstreamTransfer?
  /// The request body, when it is read piece by piece.
  var sentBody: SplicedBody?
  var head: UpstreamHead?
  /// The whole body: of an unstreamed answer, or of an error.
  var collected = ByteBuffer()
  var framer = EventStreamFramer()
  var tally = UsageTally()
  /// The account had too little for this request, which says nothing of smaller ones.
  private(set) var wasTooDear = false
  /// Content of it has gone to the client.
  var isServing = false
  /// How its answer joins what was delivered before, when it carries on a cut one.
  var seam: Seam?
  /// Events of tool calls that are not whole yet, where a cut answer may be carried on.
  var toolCalls = ByteBuffer()
  /// Events held back until content shows that this attempt is the one.
  var held = ByteBuffer()
  var heldEvents = 0
  /// The newest finish event, held so that the usage can still be put into it.
  var finish: HeldEvent?
  var sawDone = false
  var usageChunkSent = false
  var isOver = false
  /// It was sent, so it counts as running at its endpoint until it is settled.
  var isCounted = false
  /// What the answer's quality is told by, when the client asked for tools or for JSON.
  var sample: AnswerSample?
  /// What was left out of what the client sent.
  var left = LeftOut(parameters: [], signatures: false)
  /// The answer holds reasoning that only this endpoint accepts back.
  var madeSignatures = false

  private static let heldEventLimit = 64
  private static let heldByteLimit = 256 << 10
  private static let errorBodyLimit = 64 << 10
  private static let bodyLimit = 64 << 20
  /// Nanoseconds up to which an answer other than a 429 is believed that its limit is used up.
  private static let longestHint: UInt64 = 60_000_000_000

  init(completion: Completion, id: RecordID, step: RelayStateMachine.Step, startedAt: UInt64) {
    self.completion = completion
    self.id = id
    self.step = step
    self.startedAt = startedAt
    let place = step.place
    let table = completion.table
    identity = ChunkIdentity(
      id: completion.generationJSON, created: completion.created,
      model: table.models[table.endpoints[place].model].nameJSON,
      provider: table.providers[table.endpoints[place].provider].displayNameJSON)
  }

  /// The name that clients see.
  var providerName: String {
    completion.table.providers[completion.table.endpoints[place].provider].displayName
  }

  /// Whether too much is held to go on waiting for content.
  var holdsTooMuch: Bool { heldEvents >= Self.heldEventLimit || held.count >= Self.heldByteLimit }

  /// Nothing but 200 is an answer: 206 is a part of one, 204 is none.
  private var isSuccess: Bool { head?.status == 200 }

  // MARK: - What comes back

  func received(_ head: UpstreamHead) {
    self.head = head
    // An unstreamed answer's deadline runs on to its last byte.
    if completion.isStream || !isSuccess { deadlines.headers = nil }
    // Of a 429 what it asks for goes before what it reports.
    if head.status != 429, let nanoseconds = head.limitedFor {
      completion.health.limit(
        endpoint: place, key: key, for: min(nanoseconds, Self.longestHint), now: completion.relay.loop.now)
    }
    if head.status == 429, let asked = askedWait(body: nil, limits: nil) {
      // A floor from now on, whatever becomes of the rest.
      completion.health.limit(
        endpoint: place, key: key, for: Completion.floor(asked), now: completion.relay.loop.now)
    }
    guard isSuccess else {
      // Its body says why; it gets a moment to arrive.
      completion.setEndGrace(self, 2_000_000_000)
      return
    }
    if completion.isStream {
      if head.content != .eventStream {
        fail(.badResponse, "it answered a streamed request with something that is no event stream")
      }
    } else {
      deadlines.firstToken = nil
      if head.content != .json {
        fail(.badResponse, "it answered an unstreamed request with something that is not JSON")
      }
    }
  }

  func received(_ bytes: Span<UInt8>) {
    if isOver { return receivedLate(bytes) }
    guard isSuccess else {
      if collected.count < Self.errorBodyLimit {
        collected.append(bytes.extracting(..<min(bytes.count, Self.errorBodyLimit - collected.count)))
      }
      return
    }
    if completion.isStream {
      receivedStream(bytes)
    } else {
      if collected.count + bytes.count > Self.bodyLimit {
        return fail(.badResponse, "its answer is larger than 64 MiB")
      }
      collected.append(bytes)
    }
  }

  private func receivedStream(_ bytes: Span<UInt8>) {
    do throws(FramingError) {
      try framer.feed(bytes) { data, isMultiLine in
        handle(event: data, isMultiLine: isMultiLine)
        return !isOver
      }
    } catch {
      fail(.badResponse, "one of its events is larger than 16 MiB")
    }
    if !isOver { completion.afterStreamBytes(self) }
  }

  /// The client has its end. A usage that had not come before it still completes the record.
  private func receivedLate(_ bytes: Span<UInt8>) {
    guard var record = unmetered else { return }
    do throws(FramingError) {
      try framer.feed(bytes) { data, _ in
        if let scan = try? ChunkScan.scan(data) { tally.noteUsage(scan, data) }
        return tally.usage == nil
      }
    } catch {
      unmetered = nil
    }
    if tally.usage == nil { return }
    unmetered = nil
    tally.flags.insert(.usageLate)
    let metered = metered(record.outcome)
    (record.usage, record.inputSource, record.outputSource) = (metered.usage, metered.inputSource, metered.outputSource)
    (record.cost, record.priceVersion, record.flags) = (metered.cost, metered.priceVersion, metered.flags)
    _ = completion.relay.sink.append(record)
  }

  func ended(_ end: UpstreamEnd) {
    transfer = nil
    if isOver { return completion.lingeringEnded(self) }
    if head != nil, !isSuccess { return failByStatus() }
    if let failure = end.failure {
      if completion.isStream, isComplete {
        tally.flags.insert(.cutAfterFinish)
        return completion.completeStream(self)
      }
      return fail(failure, end)
    }
    guard head != nil else { return fail(.truncated, "it closed the connection without an answer") }
    if !completion.isStream { return completion.completeUnstreamed(self) }
    let hasFinished = isComplete
    framer.finish { data, _ in self.meter(unterminated: data) }
    if hasFinished { return completion.completeStream(self) }
    fail(.truncated, "the stream ended before the answer did")
  }

  /// An event without its closing empty line counts for metering only: its tokens are, but nothing is forwarded, and it
  /// finishes nothing.
  private func meter(unterminated data: Span<UInt8>) {
    if !sawDone, let scan = try? ChunkScan.scan(data) { tally.meter(scan, data) }
  }

  /// Whether every choice has its finish event. Without `[DONE]` as many must have finished as were asked for.
  var isComplete: Bool {
    guard !tally.finished.isEmpty else { return false }
    // A provider may ignore `n`: with its `[DONE]`, what it began is what there is.
    return sawDone && tally.seen == tally.finished || tally.finished.containsAll(below: completion.request.choiceCount)
  }

  // MARK: - Failing

  func failByStatus() {
    guard let head else { return }
    let said = collected.withSpan { self.said($0) }
    let text = said.message.map { "HTTP \(head.status): \($0)" } ?? "HTTP \(head.status)"
    switch head.status {
    case 400...: fail(said, status: head.status, text)
    case 300..<400: fail(.badResponse, "\(text) (redirects are not followed)")
    default: fail(.badResponse, "\(text) (only 200 is an answer)")
    }
  }

  /// An answer of status 200 that says that it failed, by the status that it names or means.
  func failByErrorEvent(_ said: ProviderError) {
    let message = said.message ?? "it sent an error event"
    guard let status = said.status, status < 500 else { return fail(.errorEvent, message) }
    fail(said, status: status, message)
  }

  /// A failure by what its status, 400 or more, means.
  private func fail(_ said: ProviderError, status: Int, _ text: String) {
    let failure: FailureClass =
      switch status {
      case 400..<500 where said.kind == .contextLength: .contextLength
      case 400..<500 where said.kind == .contentFilter: .contentFilter
      // Some say with a 400 that the router's own account there is empty, and some with a 429.
      case 402: .providerSpent
      case 400..<500 where said.kind == .quota: .providerSpent
      // A key that may not use one model may be good for others.
      case 403 where said.isAboutModel: .providerNotFound
      case 401, 403: .providerAuth
      case 404: .providerNotFound
      case 408: .requestTimeout
      case 429: .rateLimited
      case 400..<500: .badRequest
      case 503, 529: .overloaded
      default: .serverError
      }
    wasTooDear = failure == .providerSpent && said.isAboutPrice
    completion.attemptFailed(
      self, failure, text, status: status, wait: askedWait(body: said.retryDelay, limits: head?.limitedFor))
  }

  /// Nanoseconds that the provider asks to be left alone for, by its header or its words.
  private func askedWait(body: UInt64?, limits: UInt64?) -> UInt64? {
    RetryHint.delay(
      milliseconds: head?.retryAfterMilliseconds, retryAfter: head?.retryAfter, body: body,
      limits: limits, unixMilliseconds: completion.relay.loop.wallMilliseconds)
  }

  /// What the provider said of its failure, without what may be a key: some repeat the one that they were sent.
  func said(_ bytes: Span<UInt8>) -> ProviderError {
    let provider = completion.table.providers[completion.table.endpoints[place].provider]
    return ProviderError.scan(bytes)
      .redacted(secrets: provider.credentials.map { $0.reveal() } + provider.headers.map(\.value))
  }

  private func fail(_ failure: UpstreamEnd.Failure, _ end: UpstreamEnd) {
    switch failure {
    case .connect: fail(.connect, "no connection (\(end.message))")
    case .connectTimeout: fail(.connect, "no connection within the connect deadline")
    case .tls: fail(.tls, "the TLS connection failed (\(end.message))")
    case .staleConnection:
      let elapsed = completion.relay.loop.now &- startedAt
      completion.attemptFailed(
        self, .staleConnection, "a kept connection was dead", isStale: elapsed <= 1_000_000_000)
    case .truncated: fail(.truncated, "the connection ended before the answer did (\(end.message))")
    case .badResponse: fail(.badResponse, "its answer breaks the rules of HTTP (\(end.message))")
    case .other: fail(.other, end.message)
    }
  }

  func fail(_ failure: FailureClass, _ message: String) {
    completion.attemptFailed(self, failure, message)
  }

  // MARK: - The record

  /// The record, while the provider's usage may still come.
  private var unmetered: AttemptSettled?

  /// It has ended, though its record waits.
  func leave(at now: UInt64) {
    endedAt = now
    if isCounted, !hasLeft { completion.health.attemptEnded(endpoint: place) }
    hasLeft = true
  }
  private var endedAt: UInt64?
  private var hasLeft = false

  /// Records how the attempt ended; exactly once.
  ///
  /// - Parameter isFinal: this is the attempt whose end the client sees.
  func settle(_ outcome: Outcome, _ failure: FailureClass, isFinal: Bool) {
    if isOver { return }
    isOver = true
    var record = metered(outcome, isLoser: failure == .hedgeLost)
    let now = endedAt ?? completion.relay.loop.now
    record.timeToFirstToken = tally.firstContentAt.map { ($0 &- startedAt) / 1000 }
    record.duration = (now &- startedAt) / 1000
    record.failure = failure
    record.httpStatus = head.map { UInt16(clamping: $0.status) }
    record.isFinal = isFinal
    _ = completion.relay.sink.append(record)
    if completion.isStream, record.flags.contains(.usageMissing), failure == .none { unmetered = record }
    if let hedge = completion.route.hedge, step.reason != .hedge {
      completion.health.earnHedge(
        route: completion.asked.question.route, nanoUSD: record.cost ?? 0, share: hedge.share)
    }
    leave(at: now)
    if isCounted { teach(record, now) }
  }

  /// The counts and their cost, within the ledger's bounds.
  ///
  /// - Parameter isLoser: its provider will not say what it counted, but charges it: that is estimated.
  func metered(_ outcome: Outcome, isLoser: Bool = false) -> AttemptSettled {
    var record = AttemptSettled(id: id, outcome: outcome)
    tally.fill(&record, of: completion.request, carriedBytes: completion.carried?.bytesBefore ?? 0)
    if isLoser, record.usage.input == nil {
      record.usage.input = completion.asked.question.promptTokens
      record.inputSource = .estimated
      if record.usage.output == nil {
        // Nothing of it was seen; what was made by then is little.
        record.usage.output = 0
        record.outputSource = .estimated
      }
    }
    record = record.bounded
    guard let price = completion.price(at: place, promptTokens: record.usage.input) else { return record }
    record.priceVersion = price.version
    record.cost = Cost.nanoUSD(record.usage, price: price, fixed: fixedCost)
    return record.bounded
  }

  /// The cost so far in USD as a JSON number, as the ledger has it; `nil` when it is not known.
  var costLiteral: [UInt8]? {
    if tally.usage == nil { return nil }
    let before: Int64? = if let carried = completion.carried { carried.costBefore } else { 0 }
    guard let before, let cost = metered(.completed).cost else { return nil }
    let (sum, overflows) = cost.addingReportingOverflow(before)
    return overflows ? nil : JSONText.usd(nano: sum)
  }

  /// Pico-USD for the request and its images.
  private var fixedCost: Int64 {
    let traits = completion.table.endpoints[place].traits
    let (images, overflows) = traits.imagePrice.multipliedReportingOverflow(by: Int64(completion.request.mediaCount))
    let (sum, carries) = traits.requestPrice.addingReportingOverflow(images)
    return overflows || carries ? .max : sum
  }
}

/// What an attempt was not sent of the client's request, which the client is told.
struct LeftOut {
  var parameters: ParameterSet
  /// Reasoning that only its maker accepts.
  var signatures: Bool

  var isNothing: Bool { parameters.isEmpty && !signatures }

  /// In words, for a header field.
  var text: String {
    (parameters.listed + (signatures ? ["reasoning signatures of another endpoint"] : [])).joined(separator: ", ")
  }
}
