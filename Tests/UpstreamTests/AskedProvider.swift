import CLinux
import Loop

@testable import Upstream

/// Real readiness, a clock that the test moves.
final class SteppedPoller: Poller {
  private let real: EpollPoller
  private var now: UInt64 = 1_000_000_000

  init() throws { real = try EpollPoller() }

  func advance(seconds: UInt64) { now += seconds * 1_000_000_000 }

  func monotonicNanoseconds() -> UInt64 { now }
  func wallMilliseconds() -> Int64 { 1_790_000_000_000 }

  func control(_ operation: PollOperation, descriptor: Int32, interest: Readiness, token: UInt64) -> Int32 {
    real.control(operation, descriptor: descriptor, interest: interest, token: token)
  }

  func wait(_ events: UnsafeMutableBufferPointer<pm_event>, timeout: UInt64?) -> Int {
    real.wait(events, timeout: min(timeout ?? .max, 1_000_000))
  }
}

/// A client and the provider that it asks, on one loop that the test drives. Every request's body is `{}`.
final class AskedProvider: RoundDriver, PollTarget {
  let poller: SteppedPoller
  let client: CurlClient
  let port: Int32
  /// Whether requests have to wait for their answer.
  var isHolding = false
  /// Requests that have come whole.
  private(set) var requests = 0
  /// Connections that the client has closed.
  fileprivate(set) var closed = 0
  private(set) var ends: [UpstreamEnd] = []
  private let loop: EventLoop
  private let listener: Int32
  private var registration: Registration?
  private var peers: [Peer] = []
  private var waiting: [Peer] = []

  struct NoListener: Error {}

  init() throws {
    CurlClient.initializeProcess()
    poller = try SteppedPoller()
    loop = EventLoop(poller: poller)
    client = CurlClient(loop: loop)
    listener = pm_listen("127.0.0.1", 0, 512)
    guard listener >= 0 else { throw NoListener() }
    port = pm_local_port(listener)
    registration = loop.add(listener, interest: .read, target: self)
    loop.driver = self
  }

  /// Ends all connections; the loop lets go of what it kept.
  func close() {
    client.close()
    for peer in peers { peer.close() }
    if let registration { loop.remove(registration) }
    pm_close(listener)
  }

  /// A target here, under a name that only the addresses given with it explain.
  func target(_ host: String, address: String = "127.0.0.1") -> UpstreamTarget {
    UpstreamTarget(
      url: "http://\(host):\(port)/v1", fields: [], addresses: "\(host):\(port):\(address)", http2: false)
  }

  func start(_ count: Int, to target: UpstreamTarget) {
    for _ in 0..<count {
      var body = ByteBuffer()
      body.append("{}")
      client.start(
        UpstreamTransfer(
          target: target, attempt: (1, 2), hop: 1, body: body, source: nil, connectTimeout: 5_000,
          wantsFreshConnection: false, observer: Noting(provider: self)))
    }
  }

  private final class Noting: UpstreamObserver {
    let provider: AskedProvider
    init(provider: AskedProvider) { self.provider = provider }
    func received(_ head: UpstreamHead) {}
    func received(_ bytes: Span<UInt8>) {}
    func ended(_ end: UpstreamEnd) { provider.ends.append(end) }
  }

  /// Answers those that wait, and those to come.
  func release() {
    isHolding = false
    for peer in waiting { peer.answer() }
    waiting = []
  }

  /// Ends every connection as a provider does that has kept it idle for long enough.
  func endIdle() { for peer in peers { pm_shutdown_write(peer.descriptor) } }

  /// Runs rounds until something holds; false when it does not within so many of them.
  func runs(rounds: Int = 20_000, until isSo: () -> Bool) -> Bool {
    var mustNotWait = false
    for _ in 0..<rounds {
      if isSo() { return true }
      mustNotWait = loop.round(mayWait: !mustNotWait)
    }
    return isSo()
  }

  func driveRound() -> Bool {
    client.beginRound()
    return client.drive(mayStart: true) || client.hasChanges
  }

  func ready(_ readiness: Readiness) {
    while true {
      let descriptor = pm_accept(listener)
      guard descriptor >= 0 else { return }
      let peer = Peer(provider: self, descriptor: descriptor)
      peer.registration = loop.add(descriptor, interest: .read, target: peer)
      peers.append(peer)
    }
  }

  fileprivate func asked(by peer: Peer) {
    requests += 1
    if isHolding { waiting.append(peer) } else { peer.answer() }
  }

  fileprivate func forget(_ peer: Peer) {
    if let registration = peer.registration { loop.remove(registration) }
    peer.registration = nil
  }

  /// One connection, from the provider's side.
  fileprivate final class Peer: PollTarget {
    private unowned let provider: AskedProvider
    let descriptor: Int32
    var registration: Registration?
    private var input = ByteBuffer()

    init(provider: AskedProvider, descriptor: Int32) {
      self.provider = provider
      self.descriptor = descriptor
    }

    func ready(_ readiness: Readiness) {
      let count = input.read(from: { pm_read(descriptor, $0, $1) }, limit: 4096)
      guard count > 0 else {
        guard count == 0 else { return }
        provider.closed += 1
        return provider.forget(self)
      }
      let isWhole = input.withSpan { $0.count > 2 && $0[$0.count - 2] == 0x7b && $0[$0.count - 1] == 0x7d }
      guard isWhole else { return }
      input.removeAll()
      provider.asked(by: self)
    }

    func answer() {
      let answer = Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2 \r\n\r\n{}".utf8)
      _ = answer.withUnsafeBytes { pm_send(descriptor, $0.baseAddress, $0.count) }
    }

    func close() {
      provider.forget(self)
      pm_close(descriptor)
    }
  }
}
