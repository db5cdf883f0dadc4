import CLinux
import Loop
import Testing

@testable import HTTP

#if canImport(Glibc)
  import Glibc
#endif

/// Real readiness, a clock that the test moves.
final class SteppedPoller: Poller {
  private let real: EpollPoller
  private(set) var now: UInt64 = 1_000_000_000
  private(set) var delivered = 0

  init() throws { real = try EpollPoller() }

  func advance(seconds: Double) { now += UInt64(seconds * 1e9) }

  func monotonicNanoseconds() -> UInt64 { now }
  func wallMilliseconds() -> Int64 { 784_111_777_000 + Int64(now / 1_000_000) - 1_000 }

  func control(_ operation: PollOperation, descriptor: Int32, interest: Readiness, token: UInt64) -> Int32 {
    real.control(operation, descriptor: descriptor, interest: interest, token: token)
  }

  func wait(_ events: UnsafeMutableBufferPointer<pm_event>, timeout: UInt64?) -> Int {
    let count = real.wait(events, timeout: min(timeout ?? .max, 1_000_000))
    delivered += max(count, 0)
    return count
  }
}

/// A server on a loopback port, driven round by round on the test's own thread.
final class Harness: RoundDriver {
  let poller: SteppedPoller
  let loop: EventLoop
  let handler: ScriptedHandler
  let server: Server
  /// Work of each round, before the writes.
  var perRound: () -> Void = {}
  let durable = Durable()
  private var clients: [Client] = []

  init(
    _ handler: ScriptedHandler = ScriptedHandler(), limits: ServerLimits = ServerLimits(), farewell: [UInt8] = []
  ) throws {
    let poller = try SteppedPoller()
    self.poller = poller
    loop = EventLoop(poller: poller)
    self.handler = handler
    let durable = durable
    server = try Server(
      loop: loop, host: "127.0.0.1", port: 0, limits: limits, handler: handler, farewell: farewell,
      isDurable: { durable.isSo })
    loop.driver = self
  }

  deinit {
    for client in clients { client.close() }
    server.closeAll()
  }

  final class Durable {
    var isSo = true
  }

  func driveRound() -> Bool {
    server.resumePipelined()
    perRound()
    _ = server.flush()
    return server.hasResumable
  }

  func connect(receiveBuffer: Int32? = nil) throws -> Client {
    let client = try Client(port: server.port, receiveBuffer: receiveBuffer)
    clients.append(client)
    return client
  }

  /// Runs rounds until something holds; false when it does not within some thousand of them.
  func runs(until isSo: () -> Bool) -> Bool {
    for _ in 0..<5_000 {
      if isSo() { return true }
      _ = loop.round(mayWait: !server.hasResumable)
    }
    return isSo()
  }

  /// Runs rounds until an event was handed out.
  func takeEvent() -> Bool {
    let before = poller.delivered
    return runs { poller.delivered > before }
  }

  /// Runs rounds until nothing more comes.
  func settle() {
    var quiet = 0
    while quiet < 3 {
      let before = poller.delivered
      _ = loop.round(mayWait: !server.hasResumable)
      quiet = poller.delivered == before && !server.hasResumable ? quiet + 1 : 0
    }
  }

  /// The next whole response of a client, or nil when none comes.
  func response(_ client: Client, bodiless: Bool = false) -> Response? {
    var found: Response?
    _ = runs {
      client.receive()
      found = client.takeResponse(bodiless: bodiless)
      return found != nil || client.isAtEnd
    }
    return found
  }

  /// Whether the server ends the connection.
  func ends(_ client: Client) -> Bool {
    runs {
      client.receive()
      return client.isAtEnd
    }
  }

  /// Moves the clock and lets the timers fire.
  func pass(seconds: Double) {
    poller.advance(seconds: seconds)
    settle()
  }
}
