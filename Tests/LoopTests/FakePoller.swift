import CLinux
import Loop

/// A poller whose readiness and time are what the test says.
final class FakePoller: Poller {
  private(set) var now: UInt64 = 1_000
  private(set) var timeouts: [UInt64?] = []
  /// Token and interest of each watched descriptor.
  private(set) var watched: [Int32: (token: UInt64, interest: Readiness)] = [:]
  var batches: [[pm_event]] = []
  /// How far the clock goes on with every look at it.
  var tick: UInt64 = 0
  var refusesToAdd = false

  func advance(_ nanoseconds: UInt64) { now += nanoseconds }

  func event(_ descriptor: Int32, _ readiness: Readiness = .read) -> pm_event {
    pm_event(token: watched[descriptor]?.token ?? .max, events: readiness.rawValue)
  }

  func monotonicNanoseconds() -> UInt64 {
    now += tick
    return now
  }

  func wallMilliseconds() -> Int64 { 1_700_000_000_000 + Int64(now / 1_000_000) }

  func control(_ operation: PollOperation, descriptor: Int32, interest: Readiness, token: UInt64) -> Int32 {
    switch operation {
    case .add:
      if refusesToAdd || watched[descriptor] != nil { return -17 }
      watched[descriptor] = (token, interest)
    case .change:
      guard watched[descriptor]?.token == token else { return -2 }
      watched[descriptor] = (token, interest)
    case .remove:
      guard watched[descriptor]?.token == token else { return -2 }
      watched[descriptor] = nil
    }
    return 0
  }

  func wait(_ events: UnsafeMutableBufferPointer<pm_event>, timeout: UInt64?) -> Int {
    timeouts.append(timeout)
    guard !batches.isEmpty else { return 0 }
    let batch = batches.removeFirst()
    for (index, event) in batch.enumerated() { events[index] = event }
    return batch.count
  }
}

/// Notes what it is woken for, and may do something then.
final class NotingTarget: PollTarget, TimerTarget {
  private(set) var seen: [Readiness] = []
  private(set) var fired: [UInt64] = []
  var whenReady: () -> Void = {}
  var whenFired: (UInt64) -> Void = { _ in }

  func ready(_ readiness: Readiness) {
    seen.append(readiness)
    whenReady()
  }

  func timerFired(now: UInt64) {
    fired.append(now)
    whenFired(now)
  }
}

/// A small generator with a seed (splitmix64), so that a failing run can be run again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
