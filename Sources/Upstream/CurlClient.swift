import CCurl
import CLinux
import Loop

typealias OpaqueHandle = UnsafeMutableRawPointer

/// The upstream side of one loop: all transfers, spread over libcurl's multi handles. Belongs to one loop.
///
/// libcurl's callbacks only take note. Handles are added, removed, paused and driven from `drive` alone, once a round.
public final class CurlClient: UpstreamClient, TimerTarget {
  private let loop: EventLoop
  private var multis: ContiguousArray<CurlMulti> = []
  /// Those that something happened to in this round.
  private var touched: ContiguousArray<CurlMulti> = []
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

  /// - Parameter idleTime: nanoseconds after which a multi handle without transfers is closed, and with it connections
  ///   that nobody would use again: what a burst opened, and what the providers have ended since.
  public init(loop: EventLoop, idleTime: UInt64 = 55_000_000_000) {
    self.loop = loop
    self.idleTime = idleTime
  }

  /// Closes all connections; nothing can be sent afterwards. The loop keeps this object until then.
  public func close() {
    takeChanges()
    for multi in multis { multi.close() }
    multis.removeAll()
    loop.removeTimer(idleTimer)
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
    if closesIdle { closeIdle() }
    if mayStart {
      for transfer in starting { begin(transfer) }
      starting.removeAll(keepingCapacity: true)
    }
    var index = 0
    while index < readySockets.count {
      let ready = readySockets[index]
      index += 1
      guard let registration = ready.watch.registration, loop.isCurrent(registration) else { continue }
      touch(ready.watch.multi)
      ready.watch.multi.act(on: ready.watch.descriptor, ready.events)
    }
    readySockets.removeAll(keepingCapacity: true)
    // A handle that its own timer touches meanwhile is at the end of the list.
    index = 0
    while index < touched.count {
      let multi = touched[index]
      index += 1
      var turns = 0
      while multi.timerIsDue, turns < 4 {
        turns += 1
        multi.actOnTimer()
      }
      readMessages(of: multi)
    }
    deliverEnds()
    takeChanges()
    let handled = touched
    touched.removeAll(keepingCapacity: true)
    for multi in handled {
      multi.isTouched = false
      if multi.timerIsDue { touch(multi) }
    }
    return !touched.isEmpty || !flowChanges.isEmpty || !cancelled.isEmpty || mayStart && !starting.isEmpty
  }

  /// Puts a handle on the round's list.
  func touch(_ multi: CurlMulti) {
    if multi.isTouched { return }
    multi.isTouched = true
    touched.append(multi)
  }

  // MARK: - Sockets

  /// The watch of a descriptor. It stays while the connection is idle, so that its next use costs no system call.
  private var watches: ContiguousArray<SocketWatch?> = []

  /// libcurl wants to hear of a descriptor's readiness.
  func watch(_ descriptor: Int32, _ interest: Readiness, for multi: CurlMulti) {
    let place = Int(descriptor)
    guard place >= 0 else { return }
    while watches.count <= place { watches.append(nil) }
    if let watch = watches[place], let registration = watch.registration {
      watch.multi = multi
      watch.isIdle = false
      if watch.interest != interest {
        watch.interest = interest
        loop.change(registration, interest: interest)
      }
      return
    }
    let watch = SocketWatch(client: self, multi: multi, descriptor: descriptor, interest: interest)
    watch.registration = loop.add(descriptor, interest: interest, target: watch)
    watches[place] = watch
  }

  /// libcurl does not want to hear of a descriptor just now.
  func unwatch(_ descriptor: Int32) {
    let place = Int(descriptor)
    guard watches.indices.contains(place), let watch = watches[place] else { return }
    watch.isIdle = true
    // A socket that can be written to would be reported in every round.
    if watch.interest.contains(.write) { forget(watch) }
  }

  /// Something happened on an idle connection: most likely its end, which libcurl finds when it wants to use it.
  func forget(_ watch: SocketWatch) {
    if let registration = watch.registration { loop.remove(registration) }
    watch.registration = nil
    watches[Int(watch.descriptor)] = nil
  }

  /// Closes a socket of libcurl's, once nothing watches it.
  func closeSocket(_ descriptor: Int32) {
    let place = Int(descriptor)
    if watches.indices.contains(place), let watch = watches[place] { forget(watch) }
    pm_close(descriptor)
  }

  func noteReady(_ watch: SocketWatch, _ events: Int32) { readySockets.append((watch, events)) }

  /// The first handle with room: so few hold the idle connections when there are few transfers.
  private func multiWithRoom() -> CurlMulti {
    for multi in multis where multi.runningCount < CurlMulti.limit { return multi }
    let multi = CurlMulti(client: self, loop: loop)
    multis.append(multi)
    return multi
  }

  // MARK: - Handles that are not needed

  private let idleTime: UInt64
  private var idleTimer = -1
  private var awaitsIdleTimer = false
  private var closesIdle = false

  public func timerFired(now: UInt64) {
    awaitsIdleTimer = false
    closesIdle = true
  }

  /// Closes the handles that have been idle for long enough, and sets the timer for those that will be.
  private func closeIdle() {
    closesIdle = false
    multis.removeAll { multi in
      guard multi.runningCount == 0, !multi.isTouched, loop.now &- multi.idleSince >= idleTime else { return false }
      multi.close()
      return true
    }
    awaitIdle()
  }

  /// One timer for all: most often the handle has been used again when it fires.
  private func awaitIdle() {
    if awaitsIdleTimer { return }
    guard let earliest = multis.lazy.filter({ $0.runningCount == 0 }).map(\.idleSince).min() else { return }
    if idleTimer < 0 { idleTimer = loop.addTimer(self) }
    awaitsIdleTimer = true
    loop.arm(idleTimer, at: max(earliest &+ idleTime, loop.now &+ 1_000_000))
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
    guard let handle = transfer.target.idleHandles.popLast() ?? EasyHandle(target: transfer.target, client: self)
    else {
      transfer.state = .over
      ended.append((transfer, UpstreamEnd(failure: .other, message: "no memory for another request")))
      return
    }
    transfer.handle = handle
    transfer.client = self
    transfer.state = .running
    let multi = multiWithRoom()
    handle.take(transfer, in: multi)
    // Kept until `remove`.
    _ = Unmanaged.passRetained(transfer)
    runningCount += 1
    touch(multi)
    transfer.multi = multi
    if !multi.add(handle) {
      transfer.multi = nil
      remove(transfer)
      transfer.state = .over
      ended.append((transfer, UpstreamEnd(failure: .other, message: "libcurl took no further request")))
    }
  }

  private func readMessages(of multi: CurlMulti) {
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi.multi, &left) {
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
  }

  private func deliverEnds() {
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
    if let multi = transfer.multi {
      multi.remove(handle)
      if multi.runningCount == 0 { awaitIdle() }
    }
    transfer.multi = nil
    handle.transfer = nil
    transfer.handle = nil
    transfer.releaseBody()
    runningCount -= 1
    if transfer.target.idleHandles.count < Self.idleHandleLimit { transfer.target.idleHandles.append(handle) }
    Unmanaged.passUnretained(transfer).release()
  }
  /// Idle handles that a target keeps.
  private static let idleHandleLimit = 256
}
