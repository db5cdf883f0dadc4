import CLinux
import Testing

@testable import Loop

@Suite struct EventLoopTests {
  let poller = FakePoller()
  let loop: EventLoop

  init() { loop = EventLoop(poller: poller) }

  @Test func `Events in any order wake the targets they belong to and no others`() throws {
    var random = SeededRandom(seed: 11)
    let targets = (0..<64).map { _ in NotingTarget() }
    for (index, target) in targets.enumerated() {
      try #require(loop.add(Int32(index + 10), interest: .read, target: target) != nil)
    }
    var expected = Array(repeating: 0, count: 64)
    for _ in 0..<200 {
      let chosen = (0..<64).filter { _ in Bool.random(using: &random) }.shuffled(using: &random)
      for index in chosen { expected[index] += 1 }
      poller.batches = [chosen.map { poller.event(Int32($0 + 10)) }]
      _ = loop.round(mayWait: true)
    }
    #expect(targets.map(\.seen.count) == expected)
  }

  @Test func `An event of a removed registration does not wake the new owner of its slot and descriptor`() throws {
    let former = NotingTarget()
    let owner = NotingTarget()
    let registration = try #require(loop.add(7, interest: .read, target: former))
    let stale = poller.event(7)
    loop.remove(registration)
    _ = try #require(loop.add(7, interest: .read, target: owner))
    poller.batches = [[stale]]
    _ = loop.round(mayWait: true)
    #expect(former.seen.isEmpty)
    #expect(owner.seen.isEmpty)
    poller.batches = [[poller.event(7, [.write])]]
    _ = loop.round(mayWait: true)
    #expect(owner.seen == [.write])
  }

  @Test func `A target removed by an earlier event of the batch sleeps on, and so does who got its descriptor`() throws
  {
    let first = NotingTarget()
    let second = NotingTarget()
    let heir = NotingTarget()
    _ = try #require(loop.add(1, interest: .read, target: first))
    let doomed = try #require(loop.add(2, interest: .read, target: second))
    first.whenReady = { [loop] in
      loop.remove(doomed)
      _ = loop.add(2, interest: .read, target: heir)
    }
    poller.batches = [[poller.event(1), poller.event(2)]]
    _ = loop.round(mayWait: true)
    #expect(second.seen.isEmpty)
    #expect(heir.seen.isEmpty)
    #expect(poller.watched.count == 2)
  }

  @Test func `A target may remove itself and lose its last reference while it runs`() throws {
    weak var weakTarget: NotingTarget?
    var after = false
    do {
      let target = NotingTarget()
      weakTarget = target
      let registration = try #require(loop.add(1, interest: .read, target: target))
      target.whenReady = { [loop, unowned target] in
        loop.remove(registration)
        after = target.seen == [.read]
      }
    }
    poller.batches = [[poller.event(1)]]
    _ = loop.round(mayWait: true)
    #expect(after)
    #expect(weakTarget == nil)
  }

  @Test func `Registrations come, go and are re-used in any order without a wrong wake`() throws {
    var random = SeededRandom(seed: 2026)
    var live: [Int32: (Registration, NotingTarget)] = [:]
    var stale: [pm_event] = []
    for _ in 0..<5_000 {
      let descriptor = Int32.random(in: 0..<24, using: &random)
      if let (registration, target) = live[descriptor] {
        if Bool.random(using: &random) {
          stale.append(poller.event(descriptor))
          loop.remove(registration)
          #expect(!loop.isCurrent(registration))
          live[descriptor] = nil
        } else {
          let count = target.seen.count
          let total = live.values.reduce(0) { $0 + $1.1.seen.count }
          var batch = [poller.event(descriptor)]
          if let old = stale.randomElement(using: &random) { batch.append(old) }
          poller.batches = [batch.shuffled(using: &random)]
          _ = loop.round(mayWait: true)
          #expect(target.seen.count == count + 1)
          #expect(live.values.reduce(0) { $0 + $1.1.seen.count } == total + 1)
        }
      } else {
        let target = NotingTarget()
        live[descriptor] = (try #require(loop.add(descriptor, interest: .read, target: target)), target)
      }
    }
  }

  @Test func `A descriptor that cannot be watched gives no registration and keeps no target`() {
    poller.refusesToAdd = true
    weak var weakTarget: NotingTarget?
    do {
      let target = NotingTarget()
      weakTarget = target
      #expect(loop.add(3, interest: .read, target: target) == nil)
    }
    #expect(weakTarget == nil)
    poller.refusesToAdd = false
    #expect(loop.add(3, interest: .read, target: NotingTarget()) != nil)
  }

  @Test func `Changing or removing by a registration that is over touches nobody else`() throws {
    let old = try #require(loop.add(4, interest: .read, target: NotingTarget()))
    loop.remove(old)
    _ = try #require(loop.add(4, interest: .read, target: NotingTarget()))
    loop.change(old, interest: .write)
    loop.remove(old)
    #expect(poller.watched[4]?.interest == .read)
  }

  @Test func `Tokens that no registration ever had are dropped`() {
    poller.batches = [[pm_event(token: .max, events: 1), pm_event(token: 5, events: 1)]]
    #expect(!loop.round(mayWait: true))
  }

  @Test func `A round over 5 ms is counted`() {
    poller.tick = 6_000_000
    _ = loop.round(mayWait: true)
    poller.tick = 1
    _ = loop.round(mayWait: true)
    #expect(loop.slowRounds == 1)
  }

  @Test func `The driver runs once a round after events and timers, and its answer decides about waiting`() throws {
    final class Driver: RoundDriver {
      var rounds = 0
      var woken: () -> (Int, Int) = { (0, 0) }
      var seen: [(Int, Int)] = []
      func driveRound() -> Bool {
        rounds += 1
        seen.append(woken())
        return rounds < 3
      }
    }
    let driver = Driver()
    let target = NotingTarget()
    let timer = loop.addTimer(target)
    _ = try #require(loop.add(1, interest: .read, target: target))
    driver.woken = { [unowned target, loop, unowned driver] in
      if driver.rounds == 3 { loop.stop() }
      return (target.seen.count, target.fired.count)
    }
    loop.driver = driver
    loop.arm(timer, at: poller.now)
    poller.batches = [[poller.event(1)]]
    loop.run()
    #expect(driver.rounds == 3)
    #expect(driver.seen.first ?? (0, 0) == (1, 1))
    #expect(poller.timeouts == [0, 0, 0])
    loop.driver = nil
  }
}
