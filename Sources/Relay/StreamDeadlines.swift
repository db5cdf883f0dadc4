/// The deadlines of one attempt, in monotonic nanoseconds. Pure: the clock is passed in.
///
/// They watch progress, not bytes: a comment moves none of them. While the client reads too slowly none of the
/// provider's deadlines runs.
struct StreamDeadlines {
  enum Expired: Equatable {
    case headers, firstToken, gap
    /// A stream's finish event has been held for its 250 ms.
    case finishHold
    /// The end has been seen and the rest of the body did not come.
    case endGrace
  }

  static let finishHold: UInt64 = 250_000_000

  /// When the response head must have come; for an unstreamed answer, its last byte.
  var headers: UInt64?
  var firstToken: UInt64?
  /// Nanoseconds allowed between two pieces of progress; the deadline itself is derived.
  var gap: UInt64 = 0
  var lastProgress: UInt64?
  var finishHeldAt: UInt64?
  var endGrace: UInt64?
  var isPaused = false

  /// The earliest deadline that is set.
  var next: UInt64? {
    var earliest = UInt64.max
    for deadline in [endGrace, finishHeldAt.map { $0 &+ Self.finishHold }] {
      if let deadline, deadline < earliest { earliest = deadline }
    }
    if !isPaused {
      for deadline in [headers, firstToken, gapDeadline] {
        if let deadline, deadline < earliest { earliest = deadline }
      }
    }
    return earliest == .max ? nil : earliest
  }

  private var gapDeadline: UInt64? { lastProgress.map { $0 &+ gap } }

  /// What has expired, the gravest first; `nil` when nothing has.
  func expired(now: UInt64) -> Expired? {
    func passed(_ deadline: UInt64?) -> Bool { deadline.map { $0 <= now } ?? false }
    if passed(endGrace) { return .endGrace }
    if !isPaused {
      if passed(headers) { return .headers }
      if passed(firstToken) { return .firstToken }
      if passed(gapDeadline) { return .gap }
    }
    if passed(finishHeldAt.map { $0 &+ Self.finishHold }) { return .finishHold }
    return nil
  }
}
