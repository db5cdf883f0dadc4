import CLinux
import HTTP
import Loop

/// One connection of a client: requests one after another, each answered as its model's name asks. It writes raw bytes,
/// unlike the router's own server, because much of what it sends is wrong on purpose. Belongs to one loop.
final class SimulatedConnection: PollTarget, TimerTarget {
  enum State { case head, body, slowBody, answering, lingering, resetting, closed }

  static let readStep = 16 << 10
  static let outputMark = 16 << 10
  /// The most that is put together for one write where a whole answer is to be one write.
  static let gatheredMark = 256 << 20
  static let bodyLimit = 64 << 20

  unowned let server: SimulatedServer
  private let descriptor: Int32
  private var registration: Registration?
  private var timer = -1
  private var interest: Readiness = [.read, .peerClosed]
  var state = State.head
  private var input = ByteBuffer()
  private var chunked: ChunkedBody?
  private var bodyRemaining = 0
  var head = RequestHead()
  var headBytes = ByteBuffer()
  var body = ByteBuffer()

  var writer = AnswerWriter()
  /// The completion that is being answered; other answers stand whole in `writer`.
  var answer: CompletionAnswer?
  /// How the answer ends, once all of it stands in `writer`.
  var ending: Closing?
  var record: AttemptRecord?
  var behaviour: ModelBehaviour?
  /// Of a model with a bound on running attempts, while this one counts.
  var runningModel: UInt64?
  /// The next request finds the connection closed.
  var isStale = false

  var loop: EventLoop { server.loop }

  init(server: SimulatedServer, descriptor: Int32) {
    self.server = server
    self.descriptor = descriptor
  }

  func start() -> Bool {
    registration = loop.add(descriptor, interest: interest, target: self)
    guard registration != nil else {
      pm_close(descriptor)
      state = .closed
      return false
    }
    timer = loop.addTimer(self)
    return true
  }

  // MARK: - Events

  func ready(_ readiness: Readiness) {
    switch state {
    case .closed, .resetting: return
    case .slowBody, .answering:
      if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { return close(.clientLeft) }
      if state == .slowBody { return }
    case .head, .body, .lingering: break
    }
    if readiness.contains(.write) { setInterest(interest.subtracting(.write)) }
    if !readiness.isDisjoint(with: [.read, .peerClosed, .hangUp, .error]), !readInput() { return }
    drive()
  }

  func timerFired(now: UInt64) {
    switch state {
    case .head, .lingering: close(.closed)
    case .resetting: close(.reset)
    case .slowBody: readSlowly()
    case .answering: drive()
    case .body, .closed: break
    }
  }

  /// - Returns: false when the connection is gone.
  private func readInput() -> Bool {
    if case .lingering = state { input.removeAll() }
    // While an answer is under way a little of what is sent behind it is kept; the rest stays in the kernel.
    if input.count >= Self.readStep, state == .answering {
      setInterest(interest.subtracting(.read))
      return true
    }
    let got = input.read(from: { pm_read(descriptor, $0, $1) }, limit: Self.readStep)
    if got == 0 || got < 0 && got != -11 {
      close(.clientLeft)
      return false
    }
    return true
  }

  /// Goes as far as the bytes at hand allow.
  private func drive() {
    while true {
      switch state {
      case .head: guard parseHead() else { return }
      case .body: guard readBody() else { return }
      case .answering: guard pump() else { return }
      case .slowBody, .lingering, .resetting, .closed: return
      }
    }
  }

  // MARK: - Requests

  private func parseHead() -> Bool {
    let length: Int? = input.withBytes { bytes in
      guard let start = bytes.baseAddress else { return nil }
      return pm_find(start, bytes.count, "\r\n\r\n", 4).map { $0 - start + 4 }
    }
    guard let length else {
      if input.count > RequestHead.sizeLimit { return refuse(431, "the head is longer than 64 KiB") }
      return false
    }
    headBytes.removeAll()
    input.withBytes { headBytes.append(UnsafeRawBufferPointer(rebasing: $0[..<length])) }
    input.consume(length)
    do throws(FramingRefusal) {
      try headBytes.withSpan { bytes throws(FramingRefusal) in try head.parse(bytes) }
    } catch {
      return refuse(error.status, error.message.description)
    }
    loop.arm(timer, at: nil)
    body.removeAll()
    chunked = head.isChunked ? ChunkedBody() : nil
    bodyRemaining = head.contentLength ?? 0
    guard bodyRemaining <= Self.bodyLimit else { return refuse(413, "the body is longer than 64 MiB") }
    state = .body
    if head.expectsContinue, input.isEmpty { writeNow("HTTP/1.1 100 Continue\r\n\r\n") }
    return true
  }

  private func readBody() -> Bool {
    if chunked != nil {
      do throws(FramingRefusal) {
        let used = try input.withSpan { bytes throws(FramingRefusal) in
          try chunked?.read(bytes) { body.append($0) } ?? 0
        }
        input.consume(used)
      } catch {
        return refuse(error.status, error.message.description)
      }
      guard body.count <= Self.bodyLimit else { return refuse(413, "the body is longer than 64 MiB") }
    } else {
      let count = min(bodyRemaining, input.count)
      input.withBytes { body.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      input.consume(count)
      bodyRemaining -= count
    }
    if chunked.map(\.isDone) ?? (bodyRemaining == 0) {
      begin()
      return true
    }
    if chunked == nil, record == nil, body.count > 0, asksForSlowReading {
      state = .slowBody
      openRecord(model: [UInt8]("sim-slow-read".utf8), provider: 0)
      setInterest([.peerClosed])
      readSlowly()
    }
    return false
  }

  private var asksForSlowReading: Bool {
    body.withBytes { bytes in
      guard let start = bytes.baseAddress else { return false }
      return pm_find(start, min(bytes.count, Self.readStep), "sim-slow-read", 13) != nil
    }
  }

  /// 256 bytes every quarter of a second.
  private func readSlowly() {
    let got = body.read(from: { pm_read(descriptor, $0, $1) }, limit: min(256, bodyRemaining))
    if got == 0 || got < 0 && got != -11 { return close(.clientLeft) }
    if got > 0 { bodyRemaining -= got }
    guard bodyRemaining == 0 else { return loop.arm(timer, at: loop.now + 250_000_000) }
    setInterest([.read, .peerClosed])
    begin()
    drive()
  }

  /// Bytes that are too few to be held up, before the answer.
  private func writeNow(_ text: StaticString) {
    _ = pm_write(descriptor, text.utf8Start, text.utf8CodeUnitCount)
  }

  // MARK: - Answers

  private enum Flushed { case whole, later, failed }

  /// Makes and writes what is due.
  ///
  /// - Returns: true when the answer is over and the next request may be read.
  private func pump() -> Bool {
    let gathers = behaviour?.writes == .coalesced
    let mark = gathers ? Self.gatheredMark : Self.outputMark
    for _ in 0..<16 {
      var due: UInt64?
      var rests = answer == nil
      produce: while ending == nil, !rests, writer.output.count < mark {
        switch answer?.produce(now: loop.now, into: &writer) {
        case .more: continue
        case .wait(let until):
          due = until
          break produce
        case .silence, nil: rests = true
        case .ended(let closing):
          ending = closing
          // What is logged is on its way before its last bytes are.
          end(closing, bytes: writer.written + writer.output.count)
        }
      }
      if due != nil, gathers {
        loop.arm(timer, at: due)
        return false
      }
      switch flush() {
      case .whole: break
      case .later: return false
      case .failed:
        close(.clientLeft)
        return false
      }
      if let ending { return settle(ending) }
      if rests { return false }
      if let due {
        loop.arm(timer, at: due)
        return false
      }
    }
    // Other connections have their turn before this one goes on.
    loop.arm(timer, at: loop.now + 1)
    return false
  }

  private func flush() -> Flushed {
    let mode = behaviour?.writes ?? .whole
    var writes = 0
    while !writer.output.isEmpty {
      let count = writer.nextWrite(mode)
      let put = writer.output.withBytes { pm_write(descriptor, $0.baseAddress, count) }
      if put == -11 {
        loop.arm(timer, at: nil)
        setInterest(interest.union(.write))
        return .later
      }
      if put < 0 { return .failed }
      writer.took(put)
      writes += 1
      if mode == .splitCharacters, !writer.output.isEmpty {
        loop.arm(timer, at: loop.now + 200_000)
        return .later
      }
      if writes == 256 {
        loop.arm(timer, at: loop.now + 1)
        return .later
      }
    }
    return .whole
  }

  /// All is written: on to the next request, or to the end of the connection.
  private func settle(_ closing: Closing) -> Bool {
    loop.arm(timer, at: nil)
    switch closing {
    case .complete, .cutClean:
      break
    case .reset:
      // What is written must have reached the peer before the reset takes away what has not.
      state = .resetting
      setInterest([])
      loop.arm(timer, at: loop.now + 2_000_000)
      return false
    case .cut, .closed, .stale, .clientLeft, .stopped:
      close(closing)
      return false
    }
    let afterwards = behaviour?.afterwards ?? .keepAlive
    if !head.keepsAlive || writer.framing == .untilClose { return linger() }
    state = .head
    answer = nil
    ending = nil
    behaviour = nil
    body.removeAll()
    if body.isEmpty, input.isEmpty { body.release() }
    switch afterwards {
    case .keepAlive: break
    case .closeOnNext: isStale = true
    case .closeNow:
      close(.closed)
      return false
    case .closeIdle(let milliseconds): loop.arm(timer, at: loop.now + UInt64(milliseconds) * 1_000_000 + 1)
    }
    if !interest.contains(.read) { setInterest([.read, .peerClosed]) }
    return true
  }

  /// Ends the connection so that the client can still read the answer: what it still sends is thrown away for a while.
  private func linger() -> Bool {
    pm_shutdown_write(descriptor)
    state = .lingering
    input.removeAll()
    setInterest([.read, .peerClosed])
    loop.arm(timer, at: loop.now + 2_000_000_000)
    return false
  }

  private func setInterest(_ wanted: Readiness) {
    guard interest != wanted, let registration else { return }
    interest = wanted
    loop.change(registration, interest: wanted)
  }

  /// Closes at once. An attempt that was under way is logged with this end.
  func close(_ closing: Closing) {
    if state == .closed { return }
    end(closing, bytes: writer.written)
    state = .closed
    if let registration { loop.remove(registration) }
    registration = nil
    loop.removeTimer(timer)
    if closing == .reset { pm_reset_close(descriptor) } else { pm_close(descriptor) }
    server.forget(self)
  }
}
