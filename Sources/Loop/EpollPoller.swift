import CLinux

/// The kernel's epoll and clocks.
public final class EpollPoller: Poller {
  private let epoll: Int32

  /// - Throws: `SystemError` when the kernel gives no epoll instance.
  public init() throws(SystemError) {
    epoll = pm_epoll_create()
    if epoll < 0 { throw SystemError(call: "epoll_create1", code: -epoll) }
  }

  deinit { pm_close(epoll) }

  public func monotonicNanoseconds() -> UInt64 { pm_monotonic_ns() }
  public func wallMilliseconds() -> Int64 { Int64(pm_wall_ns() / 1_000_000) }

  public func control(_ operation: PollOperation, descriptor: Int32, interest: Readiness, token: UInt64) -> Int32 {
    pm_epoll_control(epoll, operation.rawValue, descriptor, interest.rawValue, token)
  }

  public func wait(_ events: UnsafeMutableBufferPointer<pm_event>, timeout: UInt64?) -> Int {
    let nanoseconds = timeout.map { Int64(clamping: $0) } ?? -1
    return Int(pm_epoll_wait(epoll, events.baseAddress, Int32(events.count), nanoseconds))
  }
}
