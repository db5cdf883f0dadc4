import Dispatch
import Foundation

/// SIGTERM and SIGINT, waited for on an ordinary thread.
final class StopSignal: Sendable {
  private let received = DispatchSemaphore(value: 0)

  init() {
    // Blocked here, before any other thread exists, so that every thread inherits it and `sigwait` alone hears them.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let received = received
    let watched = signals
    Thread.detachNewThread {
      var watched = watched
      var number: Int32 = 0
      while sigwait(&watched, &number) == 0 { received.signal() }
    }
  }

  /// Stops as a signal would.
  func raise() { received.signal() }

  /// Returns with the first signal; called again, with the next.
  func wait() { received.wait() }

  /// Waits for the next signal at most this long. Returns whether one came.
  func wait(seconds: Double) -> Bool { received.wait(timeout: .now() + seconds) == .success }
}
