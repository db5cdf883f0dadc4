import CCurl
import Loop

/// One multi handle of libcurl on a loop: its sockets are in the loop's epoll, its timer is one of the loop's. Belongs to
/// one loop.
///
/// To find an idle connection libcurl 7.88 walks all connections to a host that a multi handle has, so a client has
/// several handles of bounded size instead of one.
final class CurlMulti: TimerTarget {
  /// Transfers that one handle takes at a time.
  static let limit = 96

  let multi: OpaqueHandle
  private unowned let client: CurlClient
  private let loop: EventLoop
  private var timer = -1
  private(set) var timerIsDue = false
  /// Transfers under way.
  private(set) var runningCount = 0
  /// Since when no transfer is under way, in monotonic nanoseconds.
  private(set) var idleSince: UInt64
  /// For each `host:port` the addresses that its cache has: libcurl asks the system's resolver for what it lacks.
  private var addresses: [String: String] = [:]
  /// It is in the client's list of handles that this round has touched.
  var isTouched = false

  init(client: CurlClient, loop: EventLoop) {
    self.client = client
    self.loop = loop
    idleSince = loop.now
    guard let multi = curl_multi_init() else { fatalError("libcurl gives no multi handle: out of memory") }
    self.multi = multi
    timer = loop.addTimer(self)
    let context = Unmanaged.passUnretained(self).toOpaque()
    pm_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
    pm_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
    pm_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 2 * Self.limit)
    pm_multi_set_socket_callback(multi) { _, descriptor, what, context, _ in
      guard let context else { return 0 }
      Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue().watch(descriptor, what)
      return 0
    }
    pm_multi_set_timer_callback(multi) { _, milliseconds, context in
      guard let context else { return 0 }
      Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue().setTimer(milliseconds)
      return 0
    }
  }

  /// Closes its connections.
  func close() {
    pm_multi_set_timer_callback(multi, nil)
    curl_multi_cleanup(multi)
    // The loop kept this object for its timer.
    loop.removeTimer(timer)
  }

  /// Whether the target's addresses are not what the cache has; from now on they are.
  func needsAddresses(of target: UpstreamTarget) -> Bool {
    guard let name = target.name, addresses[name.hostAndPort] != name.addresses else { return false }
    addresses[name.hostAndPort] = name.addresses
    return true
  }

  /// Whether the handle took it.
  func add(_ handle: EasyHandle) -> Bool {
    guard curl_multi_add_handle(multi, handle.easy) == CURLM_OK else { return false }
    runningCount += 1
    return true
  }

  func remove(_ handle: EasyHandle) {
    curl_multi_remove_handle(multi, handle.easy)
    runningCount -= 1
    if runningCount == 0 { idleSince = loop.now }
  }

  func act(on descriptor: Int32, _ events: Int32) {
    var running: Int32 = 0
    curl_multi_socket_action(multi, descriptor, events, &running)
  }

  func actOnTimer() {
    var running: Int32 = 0
    timerIsDue = false
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
  }

  // MARK: - libcurl's sockets and timer

  private func watch(_ descriptor: Int32, _ what: Int32) {
    var interest: Readiness = []
    if what & CURL_POLL_IN != 0 { interest.insert(.read) }
    if what & CURL_POLL_OUT != 0 { interest.insert(.write) }
    if what == CURL_POLL_REMOVE {
      client.unwatch(descriptor)
    } else {
      client.watch(descriptor, interest, for: self)
    }
  }

  private func setTimer(_ milliseconds: Int) {
    timerIsDue = milliseconds == 0
    if milliseconds > 0 {
      loop.arm(timer, at: loop.now &+ UInt64(milliseconds) &* 1_000_000)
    } else {
      loop.arm(timer, at: nil)
    }
    if timerIsDue { client.touch(self) }
  }

  func timerFired(now: UInt64) {
    timerIsDue = true
    client.touch(self)
  }
}

/// One of libcurl's sockets in the loop's epoll. Belongs to one loop.
final class SocketWatch: PollTarget {
  private unowned let client: CurlClient
  /// Whose connection it is now.
  unowned var multi: CurlMulti
  let descriptor: Int32
  var interest: Readiness
  var registration: Registration?
  /// The connection is in the pool; nobody waits for it.
  var isIdle = false

  init(client: CurlClient, multi: CurlMulti, descriptor: Int32, interest: Readiness) {
    self.client = client
    self.multi = multi
    self.descriptor = descriptor
    self.interest = interest
  }

  func ready(_ readiness: Readiness) {
    if isIdle { return client.forget(self) }
    var events: Int32 = 0
    if !readiness.isDisjoint(with: [.read, .hangUp, .peerClosed]) { events |= CURL_CSELECT_IN }
    if readiness.contains(.write) { events |= CURL_CSELECT_OUT }
    if readiness.contains(.error) { events |= CURL_CSELECT_ERR }
    client.noteReady(self, events)
  }
}
