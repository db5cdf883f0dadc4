import CCurl
import CLinux
import Loop

typealias OpaqueHandle = UnsafeMutableRawPointer

/// libcurl's multi handle on a loop: its sockets are in the loop's epoll, its timer is one of the loop's. Belongs to
/// one loop.
///
/// libcurl's callbacks only take note. Handles are added, removed, paused and driven from `drive` alone, once a round.
public final class CurlClient: UpstreamClient, TimerTarget {
  private let loop: EventLoop
  private let multi: OpaqueHandle
  private var timer = -1
  private var timerIsDue = false
  private var starting: ContiguousArray<UpstreamTransfer> = []
  private var cancelled: ContiguousArray<UpstreamTransfer> = []
  private var flowChanges: ContiguousArray<UpstreamTransfer> = []
  private var readySockets: ContiguousArray<(watch: SocketWatch, events: Int32)> = []
  private var throttled: ContiguousArray<UpstreamTransfer> = []
  private var ended: ContiguousArray<(transfer: UpstreamTransfer, end: UpstreamEnd)> = []

  /// Counts rounds, so that a transfer knows when its share begins anew.
  private(set) var round: UInt64 = 0
  /// Transfers under way.
  public private(set) var runningCount = 0

  /// Once per process, before any thread uses this module.
  public static func initializeProcess() {
    curl_global_init(Int(CURL_GLOBAL_ALL))
  }

  public init(loop: EventLoop) {
    self.loop = loop
    guard let multi = curl_multi_init() else { fatalError("libcurl gives no multi handle: out of memory") }
    self.multi = multi
    timer = loop.addTimer(self)
    let context = Unmanaged.passUnretained(self).toOpaque()
    pm_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
    pm_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
    pm_multi_set_long(multi, CURLMOPT_MAXCONNECTS, 4096)
    pm_multi_set_socket_callback(multi) { _, descriptor, what, context, watch in
      guard let context else { return 0 }
      Unmanaged<CurlClient>.fromOpaque(context).takeUnretainedValue().watch(descriptor, what, watch)
      return 0
    }
    pm_multi_set_timer_callback(multi) { _, milliseconds, context in
      guard let context else { return 0 }
      Unmanaged<CurlClient>.fromOpaque(context).takeUnretainedValue().setTimer(milliseconds)
      return 0
    }
  }

  deinit {
    curl_multi_cleanup(multi)
  }

  // MARK: - What others want

  public func start(_ transfer: UpstreamTransfer) { starting.append(transfer) }

  public func cancel(_ transfer: UpstreamTransfer) {
    switch transfer.state {
    case .waiting: starting.removeAll { $0 === transfer }
    case .running: cancelled.append(transfer)
    case .over: break
    }
    transfer.observer = nil
    transfer.state = .over
  }

  public func pause(_ transfer: UpstreamTransfer) { setFlow(transfer, paused: true) }
  public func resume(_ transfer: UpstreamTransfer) { setFlow(transfer, paused: false) }

  /// A transfer that has had its share of this round, or whose reader is slow, was paused from inside its callback.
  func throttle(_ transfer: UpstreamTransfer) { throttled.append(transfer) }

  private func setFlow(_ transfer: UpstreamTransfer, paused: Bool) {
    guard transfer.wantsPause != paused else { return }
    transfer.wantsPause = paused
    flowChanges.append(transfer)
  }

  // MARK: - The round

  /// Whether something waits for the next round.
  public var hasChanges: Bool { !flowChanges.isEmpty || !cancelled.isEmpty || !throttled.isEmpty }

  /// Starts a round: transfers that had their share of the last one read on.
  public func beginRound() {
    round &+= 1
    guard !throttled.isEmpty else { return }
    let waiting = throttled
    throttled.removeAll(keepingCapacity: true)
    for transfer in waiting {
      guard case .running = transfer.state, transfer.isPaused, !transfer.wantsPause, let handle = transfer.handle else {
        continue
      }
      transfer.isPaused = false
      curl_easy_pause(handle.easy, CURLPAUSE_CONT)
    }
  }

  /// Sends, receives and ends what is due in this round.
  ///
  /// - Parameter mayStart: false while the ledger cannot be written: new requests then wait.
  /// - Returns: true when there is more to do that no event will announce.
  public func drive(mayStart: Bool) -> Bool {
    takeChanges()
    if mayStart {
      for transfer in starting { begin(transfer) }
      starting.removeAll(keepingCapacity: true)
    }
    var running: Int32 = 0
    var index = 0
    while index < readySockets.count {
      let ready = readySockets[index]
      index += 1
      guard let registration = ready.watch.registration, loop.isCurrent(registration) else { continue }
      curl_multi_socket_action(multi, ready.watch.descriptor, ready.events, &running)
    }
    readySockets.removeAll(keepingCapacity: true)
    var turns = 0
    while timerIsDue, turns < 4 {
      timerIsDue = false
      turns += 1
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
    }
    readMessages()
    takeChanges()
    return timerIsDue || !flowChanges.isEmpty || !cancelled.isEmpty || mayStart && !starting.isEmpty
  }

  private func takeChanges() {
    while !cancelled.isEmpty || !flowChanges.isEmpty {
      let leaving = cancelled
      cancelled.removeAll(keepingCapacity: true)
      for transfer in leaving { remove(transfer) }
      let flows = flowChanges
      flowChanges.removeAll(keepingCapacity: true)
      for transfer in flows {
        guard case .running = transfer.state, transfer.isPaused != transfer.wantsPause, let handle = transfer.handle
        else {
          continue
        }
        transfer.isPaused = transfer.wantsPause
        curl_easy_pause(handle.easy, transfer.isPaused ? CURLPAUSE_RECV : CURLPAUSE_CONT)
      }
    }
  }

  private func begin(_ transfer: UpstreamTransfer) {
    guard case .waiting = transfer.state else { return }
    guard let handle = transfer.target.idleHandles.popLast() ?? EasyHandle(target: transfer.target) else {
      transfer.state = .over
      ended.append((transfer, UpstreamEnd(failure: .other, message: "no memory for another request")))
      return
    }
    transfer.handle = handle
    transfer.client = self
    transfer.state = .running
    handle.take(transfer)
    // Kept until `remove`.
    _ = Unmanaged.passRetained(transfer)
    runningCount += 1
    if curl_multi_add_handle(multi, handle.easy) != CURLM_OK {
      remove(transfer)
      transfer.state = .over
      ended.append((transfer, UpstreamEnd(failure: .other, message: "libcurl took no further request")))
    }
  }

  private func readMessages() {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
      let code = pm_message_result(message)
      var context: OpaqueHandle?
      pm_easy_get_pointer(easy, CURLINFO_PRIVATE, &context)
      guard let context else { continue }
      guard let transfer = Unmanaged<EasyHandle>.fromOpaque(context).takeUnretainedValue().transfer else { continue }
      let end = CurlFailure.end(of: transfer, easy: easy, code: code)
      remove(transfer)
      // A transfer that was cancelled in this round ended by itself first: its observer wants no more.
      if case .over = transfer.state {
        cancelled.removeAll { $0 === transfer }
        continue
      }
      transfer.state = .over
      ended.append((transfer, end))
    }
    while !ended.isEmpty {
      let list = ended
      ended.removeAll(keepingCapacity: true)
      for (transfer, end) in list {
        let observer = transfer.observer
        transfer.observer = nil
        observer?.ended(end)
      }
    }
  }

  private func remove(_ transfer: UpstreamTransfer) {
    guard let handle = transfer.handle else { return }
    curl_multi_remove_handle(multi, handle.easy)
    handle.transfer = nil
    transfer.handle = nil
    transfer.releaseBody()
    runningCount -= 1
    if transfer.target.idleHandles.count < Self.idleHandleLimit { transfer.target.idleHandles.append(handle) }
    Unmanaged.passUnretained(transfer).release()
  }
  /// Idle handles that a target keeps.
  private static let idleHandleLimit = 256

  // MARK: - libcurl's sockets and timer

  private func watch(_ descriptor: Int32, _ what: Int32, _ context: UnsafeMutableRawPointer?) {
    if what == CURL_POLL_REMOVE {
      guard let context else { return }
      let watch = Unmanaged<SocketWatch>.fromOpaque(context).takeRetainedValue()
      if let registration = watch.registration { loop.remove(registration) }
      watch.registration = nil
      curl_multi_assign(multi, descriptor, nil)
      return
    }
    var interest: Readiness = []
    if what & CURL_POLL_IN != 0 { interest.insert(.read) }
    if what & CURL_POLL_OUT != 0 { interest.insert(.write) }
    if let context {
      let watch = Unmanaged<SocketWatch>.fromOpaque(context).takeUnretainedValue()
      if let registration = watch.registration { loop.change(registration, interest: interest) }
      return
    }
    let watch = SocketWatch(client: self, descriptor: descriptor)
    watch.registration = loop.add(descriptor, interest: interest, target: watch)
    curl_multi_assign(multi, descriptor, Unmanaged.passRetained(watch).toOpaque())
  }

  private final class SocketWatch: PollTarget {
    unowned let client: CurlClient
    let descriptor: Int32
    var registration: Registration?

    init(client: CurlClient, descriptor: Int32) {
      self.client = client
      self.descriptor = descriptor
    }

    func ready(_ readiness: Readiness) {
      var events: Int32 = 0
      if !readiness.isDisjoint(with: [.read, .hangUp, .peerClosed]) { events |= CURL_CSELECT_IN }
      if readiness.contains(.write) { events |= CURL_CSELECT_OUT }
      if readiness.contains(.error) { events |= CURL_CSELECT_ERR }
      client.readySockets.append((self, events))
    }
  }

  private func setTimer(_ milliseconds: Int) {
    if milliseconds < 0 {
      timerIsDue = false
      loop.arm(timer, at: nil)
    } else if milliseconds == 0 {
      timerIsDue = true
      loop.arm(timer, at: nil)
    } else {
      loop.arm(timer, at: loop.now &+ UInt64(milliseconds) &* 1_000_000)
    }
  }

  public func timerFired(now: UInt64) { timerIsDue = true }
}
