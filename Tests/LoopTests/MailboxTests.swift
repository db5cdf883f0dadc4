import Synchronization
import Testing

@testable import Loop

@Suite struct MailboxTests {
  private enum Message: Sendable {
    case number(sender: Int, Int)
    case done
  }

  @Test func `Messages of several threads reach the loop all, once, and each thread's in its order`() throws {
    let mailbox = try Mailbox<Message>()
    let loop = EventLoop(poller: try EpollPoller())
    var received: [[Int]] = [[], [], []]
    var finished = 0
    let isAttached = mailbox.attach(to: loop) { [unowned loop] message in
      switch message {
      case .number(let sender, let value): received[sender].append(value)
      case .done:
        finished += 1
        if finished == 3 { loop.stop() }
      }
    }
    #expect(isAttached)
    let threads = try (0..<3).map { sender in
      try LoopThread(name: "a sender with a long name") {
        for value in 0..<5_000 { mailbox.post(.number(sender: sender, value)) }
        mailbox.post(.done)
      }
    }
    loop.run()
    for thread in threads { thread.join() }
    for numbers in received { #expect(numbers == Array(0..<5_000)) }
  }

  @Test func `What is posted before the loop runs, or by a receiver, is received too`() throws {
    let mailbox = try Mailbox<Int>()
    let loop = EventLoop(poller: try EpollPoller())
    var received: [Int] = []
    mailbox.post(3)
    mailbox.attach(to: loop) { [unowned loop] number in
      received.append(number)
      if number > 0 { mailbox.post(number - 1) } else { loop.stop() }
    }
    loop.run()
    #expect(received == [3, 2, 1, 0])
  }

  @Test func `A mailbox that the loop cannot watch says so`() throws {
    let poller = FakePoller()
    poller.refusesToAdd = true
    let mailbox = try Mailbox<Int>()
    #expect(!mailbox.attach(to: EventLoop(poller: poller)) { _ in })
  }

  @Test func `A thread's body runs once before join returns`() throws {
    let runs = Counter()
    let thread = try LoopThread(name: "näme with ümlauts") { runs.value.add(1, ordering: .relaxed) }
    thread.join()
    #expect(runs.value.load(ordering: .relaxed) == 1)
  }

  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }
}
