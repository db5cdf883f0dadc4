/// The deadlines of a completion beside those of its attempts, in monotonic nanoseconds. Pure: the clock is passed in.
struct CompletionDeadlines {
  enum Expired: Equatable {
    /// The client left and reading on has a bound.
    case drain
    /// A step that had to wait is due.
    case step
    /// The first token is late enough for a second attempt.
    case hedge
    /// The client has heard nothing for 10 s.
    case heartbeat
  }

  static let heartbeat: UInt64 = 10_000_000_000

  var drain: UInt64?
  var step: UInt64?
  var hedge: UInt64?
  var heartbeatAt: UInt64?

  /// The earliest deadline that is set.
  var next: UInt64? {
    var earliest = UInt64.max
    for deadline in [drain, step, hedge, heartbeatAt] {
      if let deadline, deadline < earliest { earliest = deadline }
    }
    return earliest == .max ? nil : earliest
  }

  /// What has expired; `nil` when nothing has.
  func expired(now: UInt64) -> Expired? {
    func passed(_ deadline: UInt64?) -> Bool { deadline.map { $0 <= now } ?? false }
    if passed(drain) { return .drain }
    if passed(step) { return .step }
    if passed(hedge) { return .hedge }
    if passed(heartbeatAt) { return .heartbeat }
    return nil
  }
}
