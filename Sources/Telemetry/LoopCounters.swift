import Synchronization

/// The counts that a data-plane loop keeps.
public enum LoopCounter: Int, CaseIterable, Sendable {
  case connectionsAccepted
  case connectionsClosed
  case streamsOpened
  case streamsClosed
  case rounds
  /// Rounds over 5 ms.
  case slowRounds
  case bytesReceived
  case bytesSent
  /// Flushes of the journal that failed.
  case journalFailures
  /// Clients that left before the end of their answer.
  case clientsLeft
  case refused400
  case refused401
  case refused402
  case refused403
  case refused404
  case refused405
  case refused408
  case refused413
  case refused415
  case refused429
  case refused431
  case refused500
  case refused502
  case refused503
  case refused504
  case refused508
  case refusedOther

  /// The counter of requests that were answered with this status without any attempt.
  public static func refused(status: Int) -> LoopCounter {
    switch status {
    case 400: .refused400
    case 401: .refused401
    case 402: .refused402
    case 403: .refused403
    case 404: .refused404
    case 405: .refused405
    case 408: .refused408
    case 413: .refused413
    case 415: .refused415
    case 429: .refused429
    case 431: .refused431
    case 500: .refused500
    case 502: .refused502
    case 503: .refused503
    case 504: .refused504
    case 508: .refused508
    default: .refusedOther
    }
  }
}

/// The counts of one loop. One thread writes, any may read: an increment is a relaxed load and store, no locked
/// instruction.
public final class LoopCounters: Sendable {
  private let cells: InlineArray<27, Atomic<UInt64>>

  public init() {
    precondition(LoopCounter.allCases.count == 27)
    cells = InlineArray { _ in Atomic(0) }
  }

  /// Only from the loop's own thread.
  public func add(_ counter: LoopCounter, _ amount: UInt64 = 1) {
    let value = cells[counter.rawValue].load(ordering: .relaxed)
    cells[counter.rawValue].store(value &+ amount, ordering: .relaxed)
  }

  public func value(of counter: LoopCounter) -> UInt64 { cells[counter.rawValue].load(ordering: .relaxed) }
}
