import Loop

#if canImport(Glibc)
  import Glibc
#endif

/// Reading requests.
extension Connection {
  /// Reads what has come, 256 KiB in one round at most, and parses it.
  func readInput(limit: Int = Connection.roundLimit) {
    var total = 0
    while total < limit {
      let got: Int
      let wantsBodyDirectly = if case .body = state { chunked == nil && input.isEmpty } else { false }
      if wantsBodyDirectly {
        let step = min(max(Self.readStep, min(max(body.count, body.room), Self.roundLimit)), bodyRemaining)
        got = body.read(from: { transport.read(into: $0, $1) }, limit: step)
        if got > 0 { bodyRemaining -= got }
      } else {
        if !input.hasMemory { swap(&input, &server.spareInput) }
        got = input.read(from: { transport.read(into: $0, $1) }, limit: Self.readStep)
      }
      if got == -Int(EAGAIN) {
        if transport.isWriteAwaited { updateInterest() }
        return
      }
      if got <= 0 { return clientGone() }
      server.bytesReceived &+= UInt64(got)
      total += got
      advance()
      switch state {
      case .head where isQueued || isBackedUp: return
      case .head, .body: if got < Self.readStep, !transport.isHolding { return }
      case .responding, .lingering, .closed: return
      }
    }
    // No event will tell of what OpenSSL holds.
    if transport.isHolding { server.markResumable(self) }
  }

  /// While responding, a little pipelined input is kept.
  func readAhead() {
    guard input.count < Self.pipelineLimit else { return updateInterest() }
    let got = input.read(from: { transport.read(into: $0, $1) }, limit: Self.readStep)
    if got == 0 || got < 0 && got != -Int(EAGAIN) { return clientGone() }
    if input.count >= Self.pipelineLimit || transport.isWriteAwaited { updateInterest() }
  }

  /// Goes on with input that was left behind an answered request, or inside OpenSSL.
  func parsePipelined() {
    isQueued = false
    // When it is backed up, the write that drains it puts it into the list again.
    if case .head = state, !input.isEmpty, !isBackedUp { advance() }
    guard !isQueued, transport.isHolding else { return }
    switch state {
    case .head where !isBackedUp: readInput(limit: Self.heldLimit)
    case .body: readInput(limit: Self.heldLimit)
    case .head, .responding, .lingering, .closed: return
    }
    // It may have been a part of a record: then the connection idles, and the flush starts the time for that.
    if case .head = state, !hasUnparsed { server.markDirty(self) }
  }

  /// As much as OpenSSL can hold, and a little more.
  private static let heldLimit = 32 << 10

  private func advance() {
    if case .head = state { parseHead() }
    if case .body = state { parseBody() }
  }

  // MARK: - Head

  private func parseHead() {
    do throws(FramingRefusal) {
      let end = try input.withSpan { bytes throws(FramingRefusal) in try headSearch.end(in: bytes) }
      guard let end else {
        // On a fresh connection the time runs from the start; between requests from the head's first byte.
        if !isHeadAwaited { setPhase(loop.now + server.limits.headTime) }
        isHeadAwaited = true
        return
      }
      startRequest()
      input.withBytes { headBytes.append(UnsafeRawBufferPointer(rebasing: $0[..<end])) }
      input.consume(end)
      try headBytes.withSpan { bytes throws(FramingRefusal) in try head.parse(bytes) }
    } catch {
      return refuse(error)
    }
    // An answer before the request is whole leaves unread body behind: it closes, unless all of it is here already.
    let bodyAtHand = head.isChunked ? nil : head.contentLength.flatMap { $0 <= input.count ? $0 : nil }
    closesAfterResponse = head.hasBody && bodyAtHand == nil || mustClose
    guard let limit = server.handler.receivedHead(self), !isClosed, !isAnswered else {
      if let bodyAtHand, bodyAtHand > 0, isAnswered, !closesAfterResponse {
        input.consume(bodyAtHand)
        if input.isEmpty { releaseInput() }
      }
      return
    }
    guard head.hasBody else { return requestIsWhole() }
    bodyLimit = limit
    if let length = head.contentLength {
      if length > limit { return refuse(Self.bodyTooLarge) }
      if !server.limits.bodies.hasRoom(for: length) { return refuse(Self.tooManyBodies) }
    }
    chunked = head.isChunked ? ChunkedBody() : nil
    bodyRemaining = head.contentLength ?? 0
    // Room for a usual body at once; a larger one grows as its bytes come, whatever length was claimed.
    if bodyRemaining <= Self.reservedBodyLimit { body.reserve(bodyRemaining) }
    state = .body
    beginBodyTime()
    if head.expectsContinue, input.isEmpty, !responseStarted {
      output.append("HTTP/1.1 100 Continue\r\n\r\n")
      server.markDirty(self)
    }
  }

  private static let reservedBodyLimit = 1 << 20

  private var mustClose: Bool { !head.keepsAlive || server.isDraining || isSurplus }

  private static let bodyTooLarge = FramingRefusal(
    413, "the body is larger than this server's limit; send a shorter one")
  private static let tooManyBodies = FramingRefusal(
    503, "too many request bodies are held at once (listeners.limits.bodies); try again in a moment")

  /// Nothing of an earlier request may be seen by the next one.
  private func startRequest() {
    state = .responding
    head.clear()
    headBytes.removeAll()
    headSearch = HeadSearch()
    isHeadAwaited = false
    releaseBody()
    chunked = nil
    commonFields = []
    exchange = nil
    responseStarted = false
    isChunkedResponse = false
    isAnswered = false
    keepsTicket = false
    lingerLimit = Self.usualLingerLimit
    setPhase(.max)
  }

  // MARK: - Body

  private func parseBody() {
    if chunked != nil {
      do throws(FramingRefusal) {
        // `body` grows by what the chunks hold, which is at most what was read.
        let used = try input.withSpan { bytes throws(FramingRefusal) in
          try chunked?.read(bytes) { body.append($0) } ?? 0
        }
        input.consume(used)
      } catch {
        return refuse(error)
      }
    } else if !input.isEmpty, bodyRemaining > 0 {
      let count = min(bodyRemaining, input.count)
      input.withBytes { body.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      input.consume(count)
      bodyRemaining -= count
    }
    if body.count > bodyLimit { return refuse(Self.bodyTooLarge) }
    guard let came = countBody() else { return refuse(Self.tooManyBodies) }
    let isWhole = chunked.map(\.isDone) ?? (bodyRemaining == 0)
    if isWhole, !responseStarted { closesAfterResponse = mustClose }
    extendBodyTime(by: came)
    server.handler.receivedBody(self)
    guard case .body = state, isWhole else { return }
    requestIsWhole()
  }

  private func requestIsWhole() {
    state = .responding
    // A response that began before has told the client already.
    if !responseStarted { closesAfterResponse = mustClose }
    chunked = nil
    setPhase(.max)
    if input.isEmpty { releaseInput() }
    server.handler.receivedRequest(self)
  }

  /// Has the handler answer what cannot be read on; the connection closes behind the answer.
  func refuse(_ refusal: FramingRefusal) {
    if case .head = state { startRequest() }
    state = .responding
    closesAfterResponse = true
    chunked = nil
    setPhase(.max)
    if responseStarted {
      // Half a response is out already, and no other can follow it.
      return clientGone()
    }
    server.handler.refused(self, refusal)
  }
}
