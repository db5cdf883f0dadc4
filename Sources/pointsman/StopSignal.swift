import Dispatch
import Foundation

/// SIGTERM, SIGINT and SIGHUP, waited for on an ordinary thread.
final class StopSignal: Sendable {
  private let received = DispatchSemaphore(value: 0)
  private let reloads = DispatchSemaphore(value: 0)

  /// - Parameter reloads: SIGHUP asks for a reload; else it stops, too.
  init(reloads isReload: Bool = false) {
    // Blocked here, before any other thread exists, so that every thread inherits it and `sigwait` alone hears them.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGHUP)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let (received, reloads, watched) = (received, reloads, signals)
    Thread.detachNewThread {
      var watched = watched
      var number: Int32 = 0
      while sigwait(&watched, &number) == 0 {
        if isReload, number == SIGHUP { reloads.signal() } else { received.signal() }
      }
    }
  }

  /// Stops as a signal would.
  func raise() { received.signal() }

  /// Returns with the first signal; called again, with the next.
  func wait() { received.wait() }

  /// Returns when a reload is asked for; what was asked for meanwhile counts as one.
  func waitForReload() {
    reloads.wait()
    while reloads.wait(timeout: .now()) == .success {}
  }

  /// Waits for the next signal at most this long. Returns whether one came.
  func wait(seconds: Double) -> Bool { received.wait(timeout: .now() + seconds) == .success }
}
