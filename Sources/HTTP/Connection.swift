import CLinux
import Loop

/// One client connection: reads requests one after another, writes responses in their order. Belongs to one loop.
public final class Connection: PollTarget, TimerTarget {
  enum State {
    /// Waiting for, or reading, a head.
    case head
    /// Reading a body.
    case body
    /// The request is whole, the response is owed or under way.
    case responding
    /// The response is written, unread input is being thrown away so that the client can read it.
    case lingering
    case closed
  }

  static let readStep = 16 << 10
  static let roundLimit = 256 << 10
  static let pipelineLimit = 64 << 10

  unowned let server: Server
  private let transport: Transport
  private var registration: Registration?
  private var timer = -1
  private var interest: Readiness = [.read, .peerClosed]
  private var state = State.head
  private var input = ByteBuffer()
  private var chunked: ChunkedBody?
  private var bodyLimit = 0
  private var bodyRemaining = 0
  private var lingered = 0
  var output = ByteBuffer()
  var isDirty = false
  /// Where the open response chunk's size field stands in `output`.
  var openChunk: Int?
  var responseStarted = false
  var isChunkedResponse = false
  var closesAfterResponse = false
  /// The unwritten output ends a response whose record must be durable first.
  public var needsDurability = false
  private var isOverHigh = false
  /// The response to the request at hand has been put together whole.
  private var isAnswered = false

  /// The head of the request at hand, and its bytes.
  public private(set) var head = RequestHead()
  public private(set) var headBytes = ByteBuffer()
  /// The body as far as it has come.
  public var body = ByteBuffer()
  /// Who answers the request at hand.
  public var exchange: (any Exchange)?
  /// Monotonic nanoseconds at which the request at hand was whole.
  public private(set) var requestTime: UInt64 = 0

  public var loop: EventLoop { server.loop }

  init(server: Server, descriptor: Int32) {
    self.server = server
    transport = .plain(descriptor)
  }

  func start() -> Bool {
    registration = loop.add(transport.descriptor, interest: interest, target: self)
    guard registration != nil else {
      pm_close(transport.descriptor)
      state = .closed
      return false
    }
    timer = loop.addTimer(self)
    loop.arm(timer, at: loop.now + server.limits.headTime)
    return true
  }

  public var isClosed: Bool { if case .closed = state { true } else { false } }
  var isIdle: Bool { if case .head = state { input.isEmpty && output.isEmpty } else { false } }

  /// Whether so much output waits that the upstream should pause.
  public var isOverHighMark: Bool { isOverHigh }

  // MARK: - Events

  public func ready(_ readiness: Readiness) {
    if readiness.contains(.write) { server.markDirty(self) }
    switch state {
    case .head, .body, .lingering:
      if !readiness.isDisjoint(with: [.read, .peerClosed, .hangUp, .error]) { readInput() }
    case .responding:
      if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { return clientGone() }
      if readiness.contains(.read) { readAhead() }
    case .closed:
      break
    }
  }

  public func timerFired(now: UInt64) {
    switch state {
    case .head where input.isEmpty, .lingering, .closed:
      close()
    case .head:
      refuse(FramingRefusal(408, "the request's head did not arrive within 10 s"))
    case .body:
      refuse(FramingRefusal(408, "the request's body stood still for 30 s"))
    case .responding:
      if !output.isEmpty { clientGone() }
    }
  }

  /// The peer closed or reset while a response was owed, or will not take it.
  private func clientGone() {
    let owner = exchange
    close()
    owner?.clientLeft()
  }

  private func readInput() {
    var total = 0
    while total < Self.roundLimit {
      let got: Int
      let wantsBodyDirectly = if case .body = state { chunked == nil && input.isEmpty } else { false }
      if wantsBodyDirectly {
        let step = min(max(Self.readStep, min(body.count, Self.roundLimit)), bodyRemaining)
        got = body.read(from: { transport.read(into: $0, $1) }, limit: step)
        if got > 0 { bodyRemaining -= got }
      } else {
        got = input.read(from: { transport.read(into: $0, $1) }, limit: Self.readStep)
      }
      if got == 0 { return close() }
      if got < 0 {
        if got == -11 { break }
        return close()
      }
      total += got
      if case .lingering = state {
        input.removeAll()
        lingered += got
        if lingered > 64 << 20 { return close() }
        continue
      }
      if wantsBodyDirectly { server.bodyBytes += got }
      advance()
      if isClosed { return }
      if case .responding = state { return }
      if got < Self.readStep { break }
    }
  }

  /// While responding, a little pipelined input is kept.
  private func readAhead() {
    if input.count >= Self.pipelineLimit { return setInterest([.peerClosed]) }
    let got = input.read(from: { transport.read(into: $0, $1) }, limit: Self.readStep)
    if got == 0 || got < 0 && got != -11 { clientGone() }
  }

  // MARK: - Parsing

  private func advance() {
    if case .head = state, !parseHead() { return }
    if case .body = state { parseBody() }
  }

  func parsePipelined() {
    guard case .head = state, !input.isEmpty else { return }
    loop.arm(timer, at: loop.now + server.limits.headTime)
    advance()
  }

  private func parseHead() -> Bool {
    let length: Int? = input.withBytes { bytes in
      guard let start = bytes.baseAddress,
        let end = "\r\n\r\n".utf8.withContiguousStorageIfAvailable({ mark in
          pm_find(start, bytes.count, mark.baseAddress, mark.count)
        }) ?? nil
      else { return nil }
      return end - start + 4
    }
    guard let length, length <= RequestHead.sizeLimit else {
      if input.count > RequestHead.sizeLimit {
        refuse(FramingRefusal(431, "the request's head is longer than 64 KiB"))
      } else if headCannotBecomeValid() {
        refuse(FramingRefusal(400, "the request line is not HTTP/1.1"))
      } else if input.count > 0, headDeadlineNotSet {
        headDeadlineNotSet = false
        loop.arm(timer, at: loop.now + server.limits.headTime)
      }
      return false
    }
    headDeadlineNotSet = true
    headBytes.removeAll()
    input.withBytes { headBytes.append(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
    input.consume(length)
    do throws(FramingRefusal) {
      try headBytes.withSpan { bytes throws(FramingRefusal) in try head.parse(bytes) }
    } catch {
      refuse(error)
      return false
    }
    loop.arm(timer, at: nil)
    body.removeAll()
    responseStarted = false
    isAnswered = false
    // An answer before the request is whole leaves unread body behind: it closes.
    closesAfterResponse = head.hasBody || mustClose
    state = .responding
    guard let limit = server.handler.receivedHead(self), !isClosed else { return false }
    if !head.hasBody {
      requestIsWhole()
      return false
    }
    bodyLimit = limit
    if let length = head.contentLength, length > limit {
      refuse(FramingRefusal(413, "the body is larger than this server's limit; send a shorter one"))
      return false
    }
    chunked = head.isChunked ? ChunkedBody() : nil
    bodyRemaining = head.contentLength ?? 0
    state = .body
    loop.arm(timer, at: loop.now + server.limits.bodyIdle)
    if head.expectsContinue, input.isEmpty {
      output.append("HTTP/1.1 100 Continue\r\n\r\n")
      server.markDirty(self)
    }
    return true
  }
  private var headDeadlineNotSet = true
  private var mustClose: Bool { !head.keepsAlive || server.isDraining }

  /// A first line that is already too long, or bytes that no request line can start with.
  private func headCannotBecomeValid() -> Bool {
    input.withBytes { bytes in
      guard let first = bytes.first else { return false }
      if !Byte.isToken(first) { return true }
      return bytes.count > RequestHead.lineLimit + 2 && !bytes.prefix(RequestHead.lineLimit + 2).contains(Byte.lineFeed)
    }
  }

  private func parseBody() {
    let before = body.count
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
      server.bodyBytes += body.count - before
    } else if !input.isEmpty, bodyRemaining > 0 {
      let count = min(bodyRemaining, input.count)
      input.withBytes { body.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      input.consume(count)
      bodyRemaining -= count
      server.bodyBytes += count
    }
    if body.count > bodyLimit {
      return refuse(FramingRefusal(413, "the body is larger than this server's limit; send a shorter one"))
    }
    if server.bodyBytes > server.limits.bodiesInAll {
      return refuse(FramingRefusal(503, "too many request bodies are held at once; try again in a moment"))
    }
    loop.arm(timer, at: loop.now + server.limits.bodyIdle)
    server.handler.receivedBody(self)
    guard case .body = state else { return }
    if chunked.map(\.isDone) ?? (bodyRemaining == 0) { requestIsWhole() }
  }

  private func requestIsWhole() {
    state = .responding
    closesAfterResponse = mustClose
    chunked = nil
    requestTime = loop.now
    loop.arm(timer, at: nil)
    if input.isEmpty { input.release() }
    server.handler.receivedRequest(self)
  }

  private func refuse(_ refusal: FramingRefusal) {
    state = .responding
    closesAfterResponse = true
    isAnswered = false
    requestTime = loop.now
    server.handler.refused(self, refusal)
  }

  /// Gives the body's memory back once nobody needs it.
  public func releaseBody() {
    server.bodyBytes -= body.count
    body.removeAll()
    body.release()
  }

  // MARK: - Ending

  /// The response has been put together whole; called by the response writers.
  func responseEnded() {
    isAnswered = true
    exchange = nil
    responseStarted = false
    isChunkedResponse = false
    releaseBody()
    headBytes.removeAll()
    headBytes.release()
    server.markDirty(self)
    if closesAfterResponse || server.isDraining {
      closesAfterResponse = true
      return
    }
    state = .head
    if interest != [.read, .peerClosed] { setInterest([.read, .peerClosed]) }
    if input.isEmpty {
      input.release()
    } else {
      server.markResumable(self)
    }
  }

  /// Writes once; what does not fit waits for the socket.
  func flush() {
    if isClosed { return }
    sealChunk()
    if !output.isEmpty {
      let put = output.withBytes { transport.write($0) }
      if put < 0, put != -11 {
        return clientGone()
      }
      if put > 0 { output.consume(put) }
    }
    if output.isEmpty {
      output.release()
      if interest.contains(.write) { setInterest(interest.subtracting(.write)) }
      if case .responding = state, isAnswered { return finishAndClose() }
      if case .head = state { loop.arm(timer, at: loop.now + server.limits.keepAlive) }
      if case .responding = state { loop.arm(timer, at: nil) }
    } else {
      if !interest.contains(.write) { setInterest(interest.union(.write)) }
      loop.arm(timer, at: loop.now + server.limits.writeIdle)
    }
    if output.count > server.limits.outputHigh {
      isOverHigh = true
    } else if isOverHigh, output.count <= server.limits.outputLow {
      isOverHigh = false
      exchange?.outputDrained()
    }
  }

  /// Ends the connection so that the client can still read the response: unread input is thrown away for a while.
  private func finishAndClose() {
    pm_shutdown_write(transport.descriptor)
    state = .lingering
    input.removeAll()
    setInterest([.read, .peerClosed])
    loop.arm(timer, at: loop.now + 2_000_000_000)
  }

  private func setInterest(_ wanted: Readiness) {
    guard interest != wanted, let registration else { return }
    interest = wanted
    loop.change(registration, interest: wanted)
  }

  /// Closes at once; unwritten output is lost.
  public func close() {
    if isClosed { return }
    state = .closed
    exchange = nil
    if let registration { loop.remove(registration) }
    registration = nil
    loop.removeTimer(timer)
    pm_close(transport.descriptor)
    server.bodyBytes -= body.count
    body.removeAll()
    server.forget(self)
  }

  /// Takes over the body, so that it can outlive the request's parsing.
  public func takeBody() -> ByteBuffer {
    var taken = ByteBuffer()
    swap(&taken, &body)
    server.bodyBytes -= taken.count
    return taken
  }
}
