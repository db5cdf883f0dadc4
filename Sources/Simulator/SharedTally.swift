import CLinux
import Loop
import Synchronization

/// What the loops of one simulator share: the log, the counters, and which conversations have failed once.
final class SharedTally: Sendable {
  private let log: Int32
  private let failedOnce = Mutex<Set<UInt64>>([])
  private let running = Mutex<[UInt64: Int]>([:])
  let received = Atomic<Int>(0)
  let ended = Atomic<Int>(0)
  let tokens = Atomic<Int>(0)
  let connections = Atomic<Int>(0)
  private let drawn = Atomic<Int>(0)

  /// - Throws: `SimulatorError.system` when the file cannot be opened.
  init(log path: String?) throws(SimulatorError) {
    guard let path else {
      log = -1
      return
    }
    log = pm_open_append(path)
    if log < 0 { throw .system("cannot open \(path): \(SystemError(call: "open", code: -log))") }
  }

  deinit { if log >= 0 { pm_close(log) } }

  var isLogging: Bool { log >= 0 }

  /// Appends whole lines by one `write(2)`, so that the lines of several loops never mix.
  func append(_ lines: borrowing ByteBuffer) {
    lines.withBytes { _ = pm_write(log, $0.baseAddress, $0.count) }
  }

  /// Whether this is the first attempt of a conversation. It remembers the last 100,000 or so.
  func isFirst(_ conversation: UInt64) -> Bool {
    failedOnce.withLock { seen in
      if seen.count >= 100_000 { seen.removeAll() }
      return seen.insert(conversation).inserted
    }
  }

  /// Counts an attempt as running, unless as many run already as may.
  func enter(_ model: UInt64, limit: Int) -> Bool {
    running.withLock { running in
      let count = running[model] ?? 0
      if count < limit { running[model] = count + 1 }
      return count < limit
    }
  }

  func leave(_ model: UInt64) {
    running.withLock { running in
      let count = running[model] ?? 0
      running[model] = count > 1 ? count - 1 : nil
    }
  }

  /// Whether the next attempt is one of the `percent` in a hundred: spread as evenly as can be, no luck involved.
  func isDrawn(percent: Int) -> Bool {
    let index = drawn.add(1, ordering: .relaxed).oldValue % 100
    return (index + 1) * percent / 100 > index * percent / 100
  }
}
