import Synchronization

/// What all loops know of each endpoint's state at this moment. Atomic cells per endpoint, shared by every loop: a map
/// per loop would let each loop rediscover an outage for itself, or let all of them together overrun a limit.
///
/// One failure of an endpoint that answers others is no outage: a sound provider fails one request in a hundred, and each
/// conversation that leaves its cache for that pays its prompt again. An outage is a second failure with no success in
/// between, or the first when no success vouches for the endpoint. Then it is left alone for 2, 4, 8 … at most 30 s, each
/// time until a request tries it and fails again. The judge of the simulator shows what this is worth.
public final class EndpointHealth: Sendable {
  /// An endpoint in an outage counts as unstable for at most this long after its last failure (OpenRouter's window).
  public static let outageWindow: UInt64 = 30_000_000_000
  /// How long it does at first.
  public static let firstPause: UInt64 = 2_000_000_000
  /// A success vouches for an endpoint for this long.
  public static let vouchingTime: UInt64 = 30_000_000_000
  /// One that returns from an outage gets its full share only after this long: a cold node that is given everything at
  /// once fails again.
  public static let returnRamp: UInt64 = 30_000_000_000
  /// A provider's own word on when to come back is believed up to this far.
  public static let longestWait: UInt64 = 300_000_000_000

  private final class Cell: Sendable {
    /// Failures that no success has followed, those within a pause counted once; 1 is no outage yet.
    let strikes = Atomic<Int>(0)
    /// Monotonic nanoseconds of the last failure, and of the last success; 0 when there was none.
    let failedAt = Atomic<UInt64>(0)
    let succeededAt = Atomic<UInt64>(0)
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
    let strikes = cell.strikes.load(ordering: .relaxed)
    if succeeded {
      cell.succeededAt.store(max(now, 1), ordering: .relaxed)
      if strikes == 0 { return }
      if strikes > 1 { cell.returnedAt.store(max(now, 1), ordering: .relaxed) }
      return cell.strikes.store(0, ordering: .relaxed)
    }
    if strikes < 2 {
      let succeededAt = cell.succeededAt.load(ordering: .relaxed)
      let isVouchedFor = strikes == 0 && succeededAt != 0 && now < succeededAt &+ Self.vouchingTime
      cell.strikes.store(isVouchedFor ? 1 : 2, ordering: .relaxed)
    } else if now >= cell.failedAt.load(ordering: .relaxed) &+ Self.pause(strikes) {
      cell.strikes.store(strikes + 1, ordering: .relaxed)
    }
    cell.failedAt.store(max(now, 1), ordering: .relaxed)
  }

  private static func pause(_ strikes: Int) -> UInt64 {
    min(firstPause << UInt64(min(max(strikes - 2, 0), 5)), outageWindow)
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
    let strikes = cell.strikes.load(ordering: .relaxed)
    look.isStable = strikes < 2 || now >= cell.failedAt.load(ordering: .relaxed) &+ Self.pause(strikes)
    look.isLimited = cell.limitedUntil.load(ordering: .relaxed) > now
    let returnedAt = cell.returnedAt.load(ordering: .relaxed)
    if returnedAt != 0, now < returnedAt &+ Self.returnRamp {
      look.share = 0.1 + 0.9 * Double(now > returnedAt ? now - returnedAt : 0) / Double(Self.returnRamp)
    }
    return look
  }

  /// Whether it is in no outage, or may be tried again.
  public func isStable(_ endpoint: Int, now: UInt64) -> Bool { look(endpoint, now: now).isStable }

  /// Which share of its requests an endpoint gets that has returned from an outage: from 0.1 up to 1 over `returnRamp`.
  public func returnShare(_ endpoint: Int, now: UInt64) -> Double { look(endpoint, now: now).share }
}
