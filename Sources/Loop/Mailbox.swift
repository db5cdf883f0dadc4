import CLinux
import Synchronization

/// Messages from other threads to a loop: the only way in. Posting wakes the loop.
///
/// The queue is behind a mutex that is held for an append or a swap, never across a call.
public final class Mailbox<Message: Sendable>: Sendable {
  private let queue = Mutex<[Message]>([])
  private let wake: Int32

  /// - Throws: `SystemError` when the kernel gives no eventfd.
  public init() throws(SystemError) {
    wake = pm_eventfd()
    if wake < 0 { throw SystemError(call: "eventfd", code: -wake) }
  }

  deinit { pm_close(wake) }

  public func post(_ message: Message) {
    queue.withLock { $0.append(message) }
    var one: UInt64 = 1
    _ = pm_write(wake, &one, 8)
  }

  /// Hands the messages to `receive` on the loop's thread, in order, as rounds go by.
  ///
  /// - Returns: false when the loop cannot watch the mailbox; nothing would ever be received.
  @discardableResult
  public func attach(to loop: EventLoop, receive: @escaping (Message) -> Void) -> Bool {
    loop.add(wake, interest: .read, target: Drain(mailbox: self, receive: receive)) != nil
  }

  private final class Drain: PollTarget {
    let mailbox: Mailbox
    let receive: (Message) -> Void

    init(mailbox: Mailbox, receive: @escaping (Message) -> Void) {
      self.mailbox = mailbox
      self.receive = receive
    }

    func ready(_ readiness: Readiness) {
      var count: UInt64 = 0
      _ = pm_read(mailbox.wake, &count, 8)
      let messages = mailbox.queue.withLock { queue in
        let taken = queue
        queue = []
        return taken
      }
      for message in messages { receive(message) }
    }
  }
}
