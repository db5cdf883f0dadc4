import Routing
import Synchronization

/// What the attempts of one loop taught, on its way to the one who folds it. The loop appends once a round.
public final class ObservationOutbox: Sendable {
  /// When nobody fetches, what is newer than this many is dropped: knowledge may be missed, memory may not grow.
  private static let limit = 100_000
  private let waiting = Mutex<[AttemptObservation]>([])

  public init() {}

  /// Takes all of `observations` and leaves it empty.
  func append(_ observations: inout [AttemptObservation]) {
    waiting.withLock { waiting in
      if waiting.count < Self.limit { waiting.append(contentsOf: observations) }
    }
    observations.removeAll(keepingCapacity: true)
  }

  /// All that is waiting.
  public func fetch() -> [AttemptObservation] {
    waiting.withLock { waiting in
      let fetched = waiting
      waiting = []
      return fetched
    }
  }
}
