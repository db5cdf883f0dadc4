import Synchronization

/// What all loops know of each endpoint's health. Single atomic cells per endpoint, shared by every loop: a map per
/// loop would let each loop rediscover an outage for itself.
public final class EndpointHealth: Sendable {
  /// An endpoint counts as unstable for this long after a failure that no success has followed (OpenRouter's window).
  public static let outageWindow: UInt64 = 30_000_000_000

  private final class Cell: Sendable {
    /// Monotonic nanoseconds of the last failure that no success has followed; 0 when there is none.
    let failedAt = Atomic<UInt64>(0)
  }
  private let cells: [Cell]

  /// - Parameter count: how many endpoints the table has.
  public init(count: Int) {
    cells = (0..<count).map { _ in Cell() }
  }

  /// - Parameter places: for each endpoint of a new table its place in the table that `earlier` is about, `nil` when it
  ///   is new. Both share what they know of an endpoint, so running completions go on teaching it.
  public init(places: [Int?], in earlier: EndpointHealth) {
    cells = places.map { place in
      guard let place, earlier.cells.indices.contains(place) else { return Cell() }
      return earlier.cells[place]
    }
  }

  /// What an attempt taught. A client that left teaches nothing and is not reported here.
  public func record(endpoint: Int, succeeded: Bool, now: UInt64) {
    guard cells.indices.contains(endpoint) else { return }
    if succeeded {
      if cells[endpoint].failedAt.load(ordering: .relaxed) != 0 {
        cells[endpoint].failedAt.store(0, ordering: .relaxed)
      }
    } else {
      cells[endpoint].failedAt.store(max(now, 1), ordering: .relaxed)
    }
  }

  /// Whether no failure of the last 30 s stands unanswered by a success.
  public func isStable(_ endpoint: Int, now: UInt64) -> Bool {
    guard cells.indices.contains(endpoint) else { return true }
    let failedAt = cells[endpoint].failedAt.load(ordering: .relaxed)
    return failedAt == 0 || now >= failedAt &+ Self.outageWindow
  }
}
