import Synchronization

/// What all loops know of each endpoint's state at this moment. Atomic cells per endpoint, shared by every loop: a map
/// per loop would let each loop rediscover an outage for itself, or let all of them together overrun a limit.
public final class EndpointHealth: Sendable {
  /// An endpoint counts as unstable for this long after a failure that no success has followed (OpenRouter's window).
  public static let outageWindow: UInt64 = 30_000_000_000
  /// One that returns from an outage gets its full share only after this long: a cold node that is given everything at
  /// once fails again.
  public static let returnRamp: UInt64 = 30_000_000_000
  /// A provider's own word on when to come back is believed up to this far.
  public static let longestWait: UInt64 = 300_000_000_000

  private final class Cell: Sendable {
    /// Monotonic nanoseconds of the last failure that no success has followed; 0 when there is none.
    let failedAt = Atomic<UInt64>(0)
    /// Monotonic nanoseconds of the success that ended the last outage; 0 when there was none.
    let returnedAt = Atomic<UInt64>(0)
    /// Monotonic nanoseconds until which its rate limit is used up; 0 when nothing is known.
    let limitedUntil = Atomic<UInt64>(0)
    /// Attempts under way.
    let running = Atomic<Int>(0)
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
    let cell = cells[endpoint]
    if succeeded {
      if cell.failedAt.load(ordering: .relaxed) != 0 {
        cell.returnedAt.store(max(now, 1), ordering: .relaxed)
        cell.failedAt.store(0, ordering: .relaxed)
      }
    } else {
      cell.failedAt.store(max(now, 1), ordering: .relaxed)
    }
  }

  /// The provider says that its rate limit is used up until then, by a 429 or by its headers.
  ///
  /// - Parameter nanoseconds: from `now` on; cut to `longestWait`.
  public func limit(endpoint: Int, for nanoseconds: UInt64, now: UInt64) {
    guard cells.indices.contains(endpoint) else { return }
    cells[endpoint].limitedUntil.store(now &+ min(nanoseconds, Self.longestWait), ordering: .relaxed)
  }

  public func attemptStarted(endpoint: Int) {
    if cells.indices.contains(endpoint) { cells[endpoint].running.add(1, ordering: .relaxed) }
  }

  public func attemptEnded(endpoint: Int) {
    if cells.indices.contains(endpoint) { cells[endpoint].running.subtract(1, ordering: .relaxed) }
  }

  /// Everything that a decision asks of one endpoint, in one look.
  struct Look {
    var running = 0
    var isStable = true
    var isLimited = false
    /// See `returnShare`.
    var share = 1.0
  }

  @inline(__always)
  func look(_ endpoint: Int, now: UInt64) -> Look {
    guard cells.indices.contains(endpoint) else { return Look() }
    let cell = cells[endpoint]
    var look = Look()
    look.running = cell.running.load(ordering: .relaxed)
    let failedAt = cell.failedAt.load(ordering: .relaxed)
    look.isStable = failedAt == 0 || now >= failedAt &+ Self.outageWindow
    look.isLimited = cell.limitedUntil.load(ordering: .relaxed) > now
    let returnedAt = cell.returnedAt.load(ordering: .relaxed)
    if returnedAt != 0, now < returnedAt &+ Self.returnRamp {
      look.share = 0.1 + 0.9 * Double(now > returnedAt ? now - returnedAt : 0) / Double(Self.returnRamp)
    }
    return look
  }

  /// Attempts under way at an endpoint, from all loops.
  public func running(_ endpoint: Int) -> Int { look(endpoint, now: 0).running }

  /// Whether no failure of the last 30 s stands unanswered by a success.
  public func isStable(_ endpoint: Int, now: UInt64) -> Bool { look(endpoint, now: now).isStable }

  /// Whether its rate limit is used up.
  public func isLimited(_ endpoint: Int, now: UInt64) -> Bool { look(endpoint, now: now).isLimited }

  /// Which share of its requests an endpoint gets that has returned from an outage: from 0.1 up to 1 over `returnRamp`.
  public func returnShare(_ endpoint: Int, now: UInt64) -> Double { look(endpoint, now: now).share }
}
