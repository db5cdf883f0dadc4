import CLinux

/// Readiness of a descriptor, as epoll's bits.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let read = Readiness(rawValue: UInt32(PM_READ))
  public static let write = Readiness(rawValue: UInt32(PM_WRITE))
  public static let error = Readiness(rawValue: UInt32(PM_ERROR))
  public static let hangUp = Readiness(rawValue: UInt32(PM_HANGUP))
  public static let peerClosed = Readiness(rawValue: UInt32(PM_PEER_CLOSED))
}

/// What a descriptor's readiness wakes. Belongs to one loop.
public protocol PollTarget: AnyObject {
  func ready(_ readiness: Readiness)
}

/// What drives one round after the events were handed out. Belongs to one loop.
public protocol RoundDriver: AnyObject {
  /// Everything that must happen once a round, in its order: journal, upstream, client writes, removals.
  ///
  /// - Returns: true when there is work left that must not wait for an event.
  func driveRound() -> Bool
}

/// A registered descriptor: slot and generation. A stale one is dropped, so a re-used descriptor never wakes its former
/// owner.
public struct Registration: Sendable, Equatable {
  let slot: UInt32
  let generation: UInt32
  var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// How the loop waits and tells the time: epoll and the system clocks, or a fake of both in tests.
public protocol Poller: AnyObject {
  /// Monotonic nanoseconds.
  func monotonicNanoseconds() -> UInt64
  /// Unix time in milliseconds.
  func wallMilliseconds() -> Int64
  func control(_ operation: PollOperation, descriptor: Int32, interest: Readiness, token: UInt64) -> Int32
  /// Fills `events`, waiting at most `timeout` nanoseconds (`nil`: for ever). Returns the count or a negative errno.
  func wait(_ events: UnsafeMutableBufferPointer<pm_event>, timeout: UInt64?) -> Int
}

/// The operations of `epoll_ctl(2)`.
public enum PollOperation: Int32, Sendable {
  case add = 1
  case remove = 2
  case change = 3
}

/// One thread's epoll, timers and rounds. It belongs to the thread that runs it and is never `Sendable`.
///
/// Level-triggered throughout: libcurl need not read until EAGAIN.
public final class EventLoop {
  private struct Slot {
    var target: (any PollTarget)?
    var generation: UInt32 = 0
    var descriptor: Int32 = -1
  }

  private let poller: any Poller
  private var slots: ContiguousArray<Slot> = []
  private var freeSlots: ContiguousArray<UInt32> = []
  private var timers = TimerQueue()
  private var isStopping = false
  private let events: UnsafeMutableBufferPointer<pm_event>
  /// When the last round was over: what it took must not make the next timer late.
  private var roundEnd: UInt64

  /// Monotonic nanoseconds, read once at the start of each round.
  public private(set) var now: UInt64
  /// Unix milliseconds, read once at the start of each round.
  public private(set) var wallMilliseconds: Int64
  /// Rounds, from the events' arrival to the end of their work, that took longer than 5 ms.
  public private(set) var slowRounds: UInt64 = 0
  public weak var driver: (any RoundDriver)?

  public init(poller: some Poller) {
    self.poller = poller
    events = .allocate(capacity: 256)
    events.initialize(repeating: pm_event())
    now = poller.monotonicNanoseconds()
    roundEnd = now
    wallMilliseconds = poller.wallMilliseconds()
  }

  deinit { events.deallocate() }

  /// Starts to watch a descriptor. The loop keeps `target` until `remove`.
  public func add(_ descriptor: Int32, interest: Readiness, target: any PollTarget) -> Registration? {
    let index: UInt32
    if let free = freeSlots.popLast() {
      index = free
    } else {
      index = UInt32(slots.count)
      slots.append(Slot())
    }
    slots[Int(index)].target = target
    slots[Int(index)].descriptor = descriptor
    let registration = Registration(slot: index, generation: slots[Int(index)].generation)
    guard poller.control(.add, descriptor: descriptor, interest: interest, token: registration.token) == 0 else {
      slots[Int(index)].target = nil
      freeSlots.append(index)
      return nil
    }
    return registration
  }

  public func change(_ registration: Registration, interest: Readiness) {
    guard isCurrent(registration) else { return }
    _ = poller.control(
      .change, descriptor: slots[Int(registration.slot)].descriptor, interest: interest, token: registration.token)
  }

  /// Stops watching. The descriptor must still be open; close it afterwards.
  public func remove(_ registration: Registration) {
    guard isCurrent(registration) else { return }
    let index = Int(registration.slot)
    _ = poller.control(.remove, descriptor: slots[index].descriptor, interest: [], token: registration.token)
    slots[index].target = nil
    slots[index].descriptor = -1
    slots[index].generation &+= 1
    freeSlots.append(registration.slot)
  }

  /// Whether a registration still stands, or its slot has gone to another descriptor since.
  public func isCurrent(_ registration: Registration) -> Bool {
    let index = Int(registration.slot)
    return index < slots.count && slots[index].generation == registration.generation && slots[index].target != nil
  }

  /// A timer of `target`, disarmed. The loop keeps `target` until `removeTimer`.
  public func addTimer(_ target: any TimerTarget) -> Int { timers.add(target) }
  public func removeTimer(_ timer: Int) { timers.remove(timer) }

  /// Sets a timer's deadline in monotonic nanoseconds, or disarms it.
  public func arm(_ timer: Int, at deadline: UInt64?) { timers.arm(timer, at: deadline) }

  /// Ends `run` after the current round.
  public func stop() { isStopping = true }

  /// Runs rounds until `stop`.
  public func run() {
    var mustNotWait = false
    while !isStopping {
      mustNotWait = round(mayWait: !mustNotWait)
    }
  }

  /// One round: wait, hand out events, fire timers, drive.
  ///
  /// - Returns: true when the next round must not wait.
  public func round(mayWait: Bool) -> Bool {
    var timeout: UInt64? = mayWait ? nil : 0
    if mayWait, let earliest = timers.earliest {
      timeout = earliest > roundEnd ? earliest - roundEnd : 0
    }
    let count = poller.wait(events, timeout: timeout)
    now = poller.monotonicNanoseconds()
    wallMilliseconds = poller.wallMilliseconds()
    let began = now
    if count > 0 {
      for index in 0..<min(count, events.count) {
        let event = events[index]
        let slot = Int(event.token & 0xffff_ffff)
        guard slot < slots.count, slots[slot].generation == UInt32(truncatingIfNeeded: event.token >> 32) else {
          continue
        }
        // A strong reference of its own: the target may remove itself, and others, while it runs.
        let target = slots[slot].target
        target?.ready(Readiness(rawValue: event.events))
      }
    }
    // A timer that is armed again with a deadline that has passed fires in the next round, not for ever in this one.
    var due = timers.entryCount
    while due > 0, let target = timers.popDue(now: now) {
      due -= 1
      target.timerFired(now: now)
    }
    let more = driver?.driveRound() ?? false
    roundEnd = poller.monotonicNanoseconds()
    if roundEnd &- began > 5_000_000 { slowRounds &+= 1 }
    return more
  }
}
