import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// A thread of the data plane. Its body makes, runs and drops what belongs to one loop.
public final class LoopThread: Sendable {
  private let thread: pthread_t

  /// Starts a thread by `name` (15 bytes at most are shown by the system) that runs `body` once.
  public init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        _ = pm_name_thread(String(decoding: start.name.utf8.prefix(15), as: UTF8.self))
        start.body()
        return nil
      }, start.toOpaque())
    if code != 0 {
      start.release()
      throw SystemError(call: "pthread_create", code: code)
    }
    self.thread = thread
  }

  /// Waits until the body has returned.
  public func join() { pthread_join(thread, nil) }

  private final class Start {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
