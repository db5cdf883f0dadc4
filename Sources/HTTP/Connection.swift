import CLinux
import Loop

#if canImport(Glibc)
  import Glibc
#endif

/// One client connection: reads requests one after another, writes responses in their order. Belongs to one loop.
public final class Connection: PollTarget, TimerTarget {
  enum State {
    /// Waiting for, or reading, a head.
    case head
    /// Reading a body.
    case body
    /// The response is owed, under way, or written and about to end the connection.
    case responding
    /// The last response is written, unread input is being thrown away so that the client can read it.
    case lingering
    case closed
  }

  static let readStep = 16 << 10
  static let roundLimit = 256 << 10
  static let pipelineLimit = 64 << 10
  static let lingerTime: UInt64 = 2_000_000_000
  static let usualLingerLimit = 64 << 20

  unowned let server: Server
  /// Accepted beyond the bound on connections: one request is read, and answered with a refusal or with how the router
  /// is; then it ends.
  public let isSurplus: Bool
  private(set) var transport: Transport
  private var registration: Registration?
  private var timer = -1
  private var interest: Readiness = [.read, .peerClosed]
  /// Until when the head, the body, the next request or the end may take; `max`: as long as it likes.
  var phaseDeadline = UInt64.max
  /// Until when the client must take some of the output that the socket did not; `max`: nothing is waiting.
  private var writeDeadline = UInt64.max

  var state = State.head
  var input = ByteBuffer()
  var headSearch = HeadSearch()
  /// Whether the time for a head is running.
  var isHeadAwaited = true
  var chunked: ChunkedBody?
  var bodyLimit = 0
  var bodyRemaining = 0
  /// Until when the body must be whole, if it comes no faster than it has to.
  private var bodyDeadline = UInt64.max
  /// How much of `body` is part of the server's sum.
  private var countedBody = 0
  private var lingered = 0
  /// How much of a refused request's body is read and thrown away, so that its client comes to read the answer.
  public var lingerLimit = Connection.usualLingerLimit
  /// Whether the server has it in the list of those with pipelined requests to parse.
  var isQueued = false

  var output = ByteBuffer()
  var isDirty = false
  /// Where the open response chunk's size field stands in `output`.
  var openChunk: Int?
  var responseStarted = false
  var isChunkedResponse = false
  var closesAfterResponse = false
  /// No request is at hand whose response is owed: there is none, or the response has been put together whole.
  var isAnswered = true
  /// The unwritten output ends a response whose record must be durable first.
  public var needsDurability = false
  /// Whether so much output waits that the upstream should pause.
  public private(set) var isOverHighMark = false

  /// The head of the request at hand, and its bytes.
  public internal(set) var head = RequestHead()
  public internal(set) var headBytes = ByteBuffer()
  /// The body as far as it has come.
  public var body = ByteBuffer()
  /// Header lines that every response to the request at hand carries, each with its CR LF.
  public var commonFields: [UInt8] = []
  /// Who answers the request at hand.
  public var exchange: (any Exchange)?
  /// Changes when `body` is given back: what is in it from then on belongs to another request.
  public private(set) var bodyGeneration: UInt64 = 0
  /// What the handler counts the request at hand by; 0: nothing. It gets it back when the request is over.
  public var ticket = 0
  /// Set by an exchange whose work goes on without its client: it then returns the ticket itself.
  public var keepsTicket = false

  public var loop: EventLoop { server.loop }

  init(server: Server, transport: Transport, isSurplus: Bool) {
    self.server = server
    self.transport = transport
    self.isSurplus = isSurplus
  }

  func start() -> Bool {
    registration = loop.add(transport.descriptor, interest: interest, target: self)
    guard registration != nil else {
      transport.close()
      state = .closed
      return false
    }
    timer = loop.addTimer(self)
    setPhase(loop.now + (isSurplus ? server.limits.surplusHeadTime : server.limits.headTime))
    return true
  }

  public var isClosed: Bool { if case .closed = state { true } else { false } }
  var isIdle: Bool { if case .head = state { !hasUnparsed && output.isEmpty } else { false } }
  /// Whether bytes have come that are not parsed yet.
  var hasUnparsed: Bool { !input.isEmpty || transport.isHolding }

  /// Whether the unwritten output is over the high mark now; if it is, `outputDrained` is called once it is down to the low
  /// mark again.
  public func notePressure() -> Bool {
    if output.count > server.limits.outputHigh { isOverHighMark = true }
    return isOverHighMark
  }

  /// Whether so much output waits that no further request is taken on.
  var isBackedUp: Bool { isOverHighMark || output.count > server.limits.outputHigh }

  // MARK: - Events

  public func ready(_ readiness: Readiness) {
    if readiness.contains(.write) { server.markDirty(self) }
    let hasEnded = !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error])
    let isReadable =
      hasEnded || readiness.contains(.read) || readiness.contains(.write) && transport.isWriteAwaited
    switch state {
    case .head:
      // What was pipelined is answered first; the end of the stream is seen again afterwards.
      if isQueued { return }
      if isBackedUp {
        if hasEnded { clientGone() }
      } else if isReadable {
        readInput()
      }
    case .body:
      if isReadable { readInput() }
    case .lingering:
      if isReadable { discardInput() }
    case .responding:
      if hasEnded { return clientGone() }
      if isReadable { readAhead() }
    case .closed:
      break
    }
  }

  public func timerFired(now: UInt64) {
    if writeDeadline <= now { return clientGone() }
    guard phaseDeadline <= now else { return rearm() }
    phaseDeadline = .max
    switch state {
    case .head where !input.isEmpty:
      refuse(FramingRefusal(408, "the request's head did not arrive in time; send it whole within 10 s"))
    case .body where bodyDeadline <= now:
      refuse(FramingRefusal(408, "the request's body came too slowly; send at least 64 KiB a second"))
    case .body:
      refuse(FramingRefusal(408, "the request's body stood still for too long; send it without such pauses"))
    case .head, .lingering: close()
    case .responding, .closed: rearm()
    }
  }

  /// The peer closed or reset, or does not take what it asked for.
  func clientGone() {
    let owner = exchange
    end()
    owner?.clientLeft()
    if !keepsTicket { returnTicket() }
  }

  // MARK: - Deadlines and interest

  func setPhase(_ deadline: UInt64) {
    phaseDeadline = deadline
    rearm()
  }

  /// A body begins: nothing of it has come yet.
  func beginBodyTime() {
    bodyDeadline = loop.now &+ server.limits.bodyTime
    setPhase(min(loop.now &+ server.limits.bodyIdle, bodyDeadline))
  }

  /// More of the body has come.
  func extendBodyTime(by count: Int) {
    bodyDeadline &+= UInt64(count) &* server.limits.bodyTimePerByte
    setPhase(min(loop.now &+ server.limits.bodyIdle, bodyDeadline))
  }

  private func rearm() {
    if isClosed { return }
    let next = min(phaseDeadline, writeDeadline)
    loop.arm(timer, at: next == .max ? nil : next)
  }

  /// Watches for what the state at hand can use.
  func updateInterest() {
    guard let registration else { return }
    var wanted = Readiness.peerClosed
    let reads =
      switch state {
      case .head: !isOverHighMark
      case .body, .lingering: true
      case .responding: input.count < Self.pipelineLimit
      case .closed: false
      }
    if reads { wanted.insert(.read) }
    if writeDeadline != .max || transport.isWriteAwaited { wanted.insert(.write) }
    guard interest != wanted else { return }
    interest = wanted
    loop.change(registration, interest: wanted)
  }

  // MARK: - Writing

  /// Writes once; what does not fit waits for the socket.
  func flush() {
    if isClosed { return }
    // Here, and not where the response ends: its writer may be reading the head or the body just then.
    if isAnswered { releaseRequest() }
    sealChunk()
    if !output.isEmpty {
      let put = output.withBytes { transport.write($0) }
      if put < 0, put != -Int(EAGAIN) { return clientGone() }
      if put > 0 {
        server.bytesSent &+= UInt64(put)
        output.consume(put)
      }
      if output.isEmpty {
        writeDeadline = .max
      } else if put > 0 || writeDeadline == .max {
        // Only progress moves the deadline: more output for a client that takes none does not.
        writeDeadline = loop.now + server.limits.writeIdle
      }
    }
    if output.isEmpty {
      output.release()
      if isAnswered, case .responding = state { return finishAndClose() }
      if case .head = state, !hasUnparsed {
        if server.isDraining { return close() }
        if phaseDeadline == .max { phaseDeadline = loop.now + server.limits.keepAlive }
      }
    }
    updateHighMark()
  }

  private func updateHighMark() {
    var hasDrained = false
    if output.count > server.limits.outputHigh {
      isOverHighMark = true
      // The rest of a head is not read meanwhile, so it is not late either.
      if case .head = state {
        phaseDeadline = .max
        isHeadAwaited = false
      }
    } else if isOverHighMark, output.count <= server.limits.outputLow {
      isOverHighMark = false
      hasDrained = true
    }
    if case .head = state, hasUnparsed, phaseDeadline == .max, !isOverHighMark { server.markResumable(self) }
    updateInterest()
    rearm()
    if hasDrained { exchange?.outputDrained() }
  }

  // MARK: - Ending

  /// Ends the connection so that the client can still read the response: unread input is thrown away for a while.
  private func finishAndClose() {
    guard transport.endTLS() else {
      if writeDeadline == .max { writeDeadline = loop.now + server.limits.writeIdle }
      updateInterest()
      return rearm()
    }
    pm_shutdown_write(transport.descriptor)
    writeDeadline = .max
    state = .lingering
    input.removeAll()
    input.release()
    updateInterest()
    setPhase(loop.now + Self.lingerTime)
  }

  private func discardInput() {
    var total = 0
    while total < Self.roundLimit {
      input.removeAll()
      let got = input.read(from: { transport.discard(into: $0, $1) }, limit: Self.readStep)
      if got == -Int(EAGAIN) { break }
      if got <= 0 { return close() }
      total += got
    }
    input.removeAll()
    input.release()
    lingered += total
    if lingered > lingerLimit { close() }
  }

  /// Closes at once; unwritten output is lost.
  public func close() {
    end()
    if !keepsTicket { returnTicket() }
  }

  private func end() {
    if isClosed { return }
    // Only where nothing is cut off may the client be told that it was all.
    if case .head = state, output.isEmpty { _ = transport.endTLS() }
    state = .closed
    exchange = nil
    if let registration { loop.remove(registration) }
    registration = nil
    loop.removeTimer(timer)
    transport.close()
    uncountBody()
    server.forget(self)
  }

  /// Gives the ticket back now; once is enough.
  public func returnTicket() {
    keepsTicket = false
    guard ticket != 0 else { return }
    let ended = ticket
    ticket = 0
    server.handler.takeBack(ticket: ended)
  }

  // MARK: - The input's memory

  /// Gives the memory of an empty input back, first of all to the next connection that reads.
  func releaseInput() {
    if server.spareInput.hasMemory {
      input.release()
    } else {
      swap(&input, &server.spareInput)
    }
  }

  // MARK: - The body's memory

  /// Adds what `body` grew by to the sum of all bodies.
  ///
  /// - Returns: how much that is; `nil` when there is no room for it.
  func countBody() -> Int? {
    let growth = body.count - countedBody
    if growth > 0 {
      guard server.limits.bodies.reserve(growth) else { return nil }
    } else if growth < 0 {
      server.limits.bodies.release(-growth)
    }
    countedBody = body.count
    return max(growth, 0)
  }

  private func uncountBody() {
    if countedBody > 0 { server.limits.bodies.release(countedBody) }
    countedBody = 0
  }

  /// Gives the body's memory back once nobody needs it.
  public func releaseBody() {
    bodyGeneration &+= 1
    uncountBody()
    body.removeAll()
    body.release()
  }

  private func releaseRequest() {
    releaseBody()
    headBytes.removeAll()
    headBytes.release()
    head.clear()
  }
}
