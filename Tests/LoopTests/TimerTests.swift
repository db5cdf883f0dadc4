import Testing

@testable import Loop

@Suite struct TimerTests {
  let poller = FakePoller()
  let loop: EventLoop

  init() { loop = EventLoop(poller: poller) }

  @Test func `The wait lasts from the end of the last round to the earliest deadline`() {
    let timer = loop.addTimer(NotingTarget())
    _ = loop.round(mayWait: true)
    #expect(poller.timeouts == [nil])
    loop.arm(timer, at: poller.now + 500)
    poller.tick = 10
    _ = loop.round(mayWait: true)
    #expect(poller.timeouts.last == 500)
    poller.tick = 0
    // Two looks at the clock went by since: at the start and at the end of the round.
    _ = loop.round(mayWait: true)
    #expect(poller.timeouts.last == 480)
    _ = loop.round(mayWait: false)
    #expect(poller.timeouts.last == 0)
  }

  @Test func `A deadline moved later does not fire at its former time, and fires once`() {
    let target = NotingTarget()
    let timer = loop.addTimer(target)
    loop.arm(timer, at: 2_000)
    loop.arm(timer, at: 5_000)
    for _ in 0..<9 {
      poller.advance(1_000)
      _ = loop.round(mayWait: true)
    }
    #expect(target.fired == [5_000])
  }

  @Test func `A deadline moved earlier fires then and not again at its former time`() {
    let target = NotingTarget()
    let timer = loop.addTimer(target)
    loop.arm(timer, at: 9_000)
    loop.arm(timer, at: 3_000)
    for _ in 0..<12 {
      poller.advance(1_000)
      _ = loop.round(mayWait: true)
    }
    #expect(target.fired == [3_000])
  }

  @Test func `A disarmed timer stays silent, and a removed one even when its place has a new owner`() {
    let silent = NotingTarget()
    let removed = NotingTarget()
    let heir = NotingTarget()
    let first = loop.addTimer(silent)
    let second = loop.addTimer(removed)
    loop.arm(first, at: 2_000)
    loop.arm(first, at: nil)
    loop.arm(second, at: 2_000)
    loop.removeTimer(second)
    let third = loop.addTimer(heir)
    #expect(third == second)
    loop.arm(third, at: 4_000)
    for _ in 0..<5 {
      poller.advance(1_000)
      _ = loop.round(mayWait: true)
    }
    #expect(silent.fired.isEmpty)
    #expect(removed.fired.isEmpty)
    #expect(heir.fired == [4_000])
  }

  @Test func `Removing a timer twice does not give its place to two owners`() {
    let timer = loop.addTimer(NotingTarget())
    loop.removeTimer(timer)
    loop.removeTimer(timer)
    loop.arm(timer, at: 1)
    #expect(loop.addTimer(NotingTarget()) != loop.addTimer(NotingTarget()))
  }

  @Test func `A timer removed by one that fires before it in the same round does not fire`() {
    let first = NotingTarget()
    let second = NotingTarget()
    let timers = (loop.addTimer(first), loop.addTimer(second))
    loop.arm(timers.0, at: 2_000)
    loop.arm(timers.1, at: 2_001)
    first.whenFired = { [loop] _ in loop.removeTimer(timers.1) }
    poller.advance(5_000)
    _ = loop.round(mayWait: true)
    #expect(first.fired.count == 1)
    #expect(second.fired.isEmpty)
  }

  @Test func `A timer that arms itself in the past fires once a round and does not hold the round up`() {
    let target = NotingTarget()
    let timer = loop.addTimer(target)
    target.whenFired = { [loop] now in loop.arm(timer, at: now) }
    loop.arm(timer, at: 1)
    _ = loop.round(mayWait: true)
    #expect(target.fired.count == 1)
    _ = loop.round(mayWait: true)
    #expect(target.fired.count == 2)
    #expect(poller.timeouts.last == 0)
    target.whenFired = { _ in }
  }

  @Test func `Any sequence of arming, moving, disarming and removing fires what a plain list would`() {
    var random = SeededRandom(seed: 77)
    struct Wanted {
      var target: NotingTarget
      var deadline: UInt64?
    }
    var timers: [Int: Wanted] = [:]
    for _ in 0..<20_000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0 where timers.count < 40:
        let target = NotingTarget()
        timers[loop.addTimer(target)] = Wanted(target: target)
      case 1:
        if let timer = timers.keys.sorted().randomElement(using: &random) {
          loop.removeTimer(timer)
          timers[timer] = nil
        }
      case 2...6:
        if let timer = timers.keys.sorted().randomElement(using: &random) {
          let deadline: UInt64? =
            Int.random(in: 0..<5, using: &random) == 0 ? nil : poller.now + .random(in: 0..<400, using: &random)
          loop.arm(timer, at: deadline)
          timers[timer]?.deadline = deadline
        }
      default:
        poller.advance(.random(in: 0..<100, using: &random))
        let before = timers.mapValues { $0.target.fired.count }
        _ = loop.round(mayWait: true)
        for (timer, wanted) in timers {
          let isDue = wanted.deadline.map { $0 <= poller.now } ?? false
          #expect(wanted.target.fired.count - (before[timer] ?? 0) == (isDue ? 1 : 0))
          if isDue { timers[timer]?.deadline = nil }
        }
      }
    }
  }

  @Test func `Timers that are removed long before their deadline leave no pile behind`() {
    var queue = TimerQueue()
    let target = NotingTarget()
    for step in 0..<100_000 {
      let timer = queue.add(target)
      queue.arm(timer, at: 600_000_000_000 + UInt64(step))
      queue.remove(timer)
    }
    #expect(queue.entryCount <= 1_025)
  }
}
