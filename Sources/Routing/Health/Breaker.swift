import Synchronization

/// Whether something that failed may be asked again: a value of 64 bits, so that many loops change one by
/// compare-and-swap. The clock is passed in, in monotonic nanoseconds.
///
/// Closed, it lets everything through. A failure that recent success vouches against leaves it closed with a doubt, which
/// the next success removes; a second one opens it, and so does the first when nothing vouches. Open, it lets nothing
/// through for a pause. Then it is in probation: one probe at a time. A probe that succeeds closes it, one that fails
/// opens it for a longer pause, and one that is never heard of again lets go after a lease.
struct Breaker: RawRepresentable, AtomicRepresentable, Equatable, Sendable {
  /// Four bits of strikes, one that says whether a probe is under way, and 59 of the moment when the pause or the lease
  /// ends: 18 years of nanoseconds.
  private(set) var rawValue: UInt64

  private static let momentMask: UInt64 = 1 << 59 - 1
  private static let probeBit: UInt64 = 1 << 59
  private static let strikeShift: UInt64 = 60
  /// With so many strikes it is open, or in probation.
  private static let outage: UInt64 = 2
  /// More are not counted: the pauses have long stopped growing.
  private static let mostStrikes: UInt64 = 6

  /// How long it stays open, and for how long one thing or another is believed.
  struct Pauses: Sendable {
    /// The first pause, and what doubling it at each failed probe does not exceed.
    let first: UInt64
    let longest: UInt64
    /// A probe that nobody speaks of any more lets go after this long.
    let lease: UInt64
    /// A success vouches for this long; 0: never.
    let vouching: UInt64

    fileprivate func pause(_ strikes: UInt64) -> UInt64 {
      min(first << (min(max(strikes, Breaker.outage), Breaker.mostStrikes) - Breaker.outage), longest)
    }
  }

  enum State: Equatable {
    case closed
    /// Closed, with a failure outstanding.
    case doubted
    case open(left: UInt64)
    /// Probation, with no probe under way.
    case due
    /// Probation; the lease of the probe ends after this long.
    case probing(left: UInt64)
  }

  /// What asking for a probe came to.
  enum Probe: Equatable {
    /// It is closed.
    case notNeeded
    case taken
    case refused
  }

  /// What a failure changed.
  enum Fall: Equatable {
    case none
    case opened(pause: UInt64)
    /// It was open before: a probe failed.
    case reopened(pause: UInt64)
  }

  /// Closed.
  init() { rawValue = 0 }

  init(rawValue: UInt64) { self.rawValue = rawValue }

  private init(strikes: UInt64, isProbing: Bool = false, until moment: UInt64 = 0) {
    rawValue = strikes << Self.strikeShift | (isProbing ? Self.probeBit : 0) | min(moment, Self.momentMask)
  }

  private var strikes: UInt64 { rawValue >> Self.strikeShift }
  private var isProbing: Bool { rawValue & Self.probeBit != 0 }
  private var moment: UInt64 { rawValue & Self.momentMask }

  /// Closed, and nothing to forgive.
  var isSpotless: Bool { rawValue == 0 }

  /// Open or in probation.
  var isInOutage: Bool { strikes >= Self.outage }

  /// Lets nobody in now: it is open, or its one probe is under way.
  @inline(__always)
  func isOut(_ now: UInt64) -> Bool { isInOutage && now < moment }

  /// When it lets somebody in again; 0 when it is closed.
  var isOutUntil: UInt64 { isInOutage ? moment : 0 }

  func state(_ now: UInt64) -> State {
    if strikes == 0 { return .closed }
    if strikes < Self.outage { return .doubted }
    if now >= moment { return .due }
    return isProbing ? .probing(left: moment - now) : .open(left: moment - now)
  }

  /// Somebody wants in.
  mutating func takeProbe(_ pauses: Pauses, _ now: UInt64) -> Probe {
    if !isInOutage { return .notNeeded }
    if now < moment { return .refused }
    self = Self(strikes: strikes, isProbing: true, until: Self.end(of: pauses.lease, now))
    return .taken
  }

  /// The probe came to no verdict: the next may try at once.
  mutating func releaseProbe() {
    if isInOutage, isProbing { self = Self(strikes: strikes) }
  }

  mutating func succeed() { self = Self() }

  /// - Parameters:
  ///   - isVouchedFor: a success was seen lately.
  ///   - wasProbe: what failed is the probe. Anything else that fails while it is open, or while its probe is under way,
  ///     is of the same outage and changes nothing.
  mutating func fail(isVouchedFor: Bool, wasProbe: Bool, _ pauses: Pauses, _ now: UInt64) -> Fall {
    if !isInOutage {
      if strikes == 0, isVouchedFor {
        self = Self(strikes: 1)
        return .none
      }
      let pause = pauses.pause(Self.outage)
      self = Self(strikes: Self.outage, until: Self.end(of: pause, now))
      return .opened(pause: pause)
    }
    guard now >= moment || wasProbe && isProbing else { return .none }
    let more = min(strikes + 1, Self.mostStrikes)
    let pause = pauses.pause(more)
    self = Self(strikes: more, until: Self.end(of: pause, now))
    return .reopened(pause: pause)
  }

  private static func end(of pause: UInt64, _ now: UInt64) -> UInt64 { min(now, momentMask) + pause }
}
