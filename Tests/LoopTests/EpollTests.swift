import CLinux
import Testing

@testable import Loop

@Suite struct EpollTests {
  @Test func `A timer ends a real wait not before its deadline`() throws {
    let loop = EventLoop(poller: try EpollPoller())
    let target = NotingTarget()
    let timer = loop.addTimer(target)
    target.whenFired = { [unowned loop] _ in loop.stop() }
    let deadline = loop.now + 3_000_000
    loop.arm(timer, at: deadline)
    loop.run()
    #expect(target.fired.count == 1)
    #expect(target.fired.first ?? 0 >= deadline)
  }

  @Test func `A closed and re-opened descriptor number wakes only its new owner`() throws {
    let loop = EventLoop(poller: try EpollPoller())
    let former = NotingTarget()
    let owner = NotingTarget()
    let first = pm_eventfd()
    let registration = try #require(loop.add(first, interest: .read, target: former))
    var one: UInt64 = 1
    _ = pm_write(first, &one, 8)
    loop.remove(registration)
    pm_close(first)
    let second = pm_eventfd()
    defer { pm_close(second) }
    _ = try #require(loop.add(second, interest: .read, target: owner))
    _ = pm_write(second, &one, 8)
    _ = loop.round(mayWait: true)
    #expect(former.seen.isEmpty)
    #expect(owner.seen == [.read])
  }

  @Test func `A failed call is described by its name and the system's words`() {
    #expect(SystemError(call: "listen", code: 98).description == "listen: Address already in use")
  }
}
