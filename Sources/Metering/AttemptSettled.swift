import Wire

/// Where a token count came from. The numbers are journal format: add at the end only.
public enum TokenSource: UInt8, CaseIterable, Sendable {
  case unknown = 0
  /// The provider's own `usage`.
  case provider = 1
  /// Deltas counted in passing.
  case observed = 2
  case estimated = 3

  /// The word in the ledger.
  public var name: String {
    switch self {
    case .unknown: "unknown"
    case .provider: "provider"
    case .observed: "observed"
    case .estimated: "estimated"
    }
  }
}

/// How an attempt ended. The numbers are journal format: add at the end only.
public enum Outcome: UInt8, CaseIterable, Sendable {
  case completed = 0
  case failed = 1
  /// The stream broke after content had been delivered, or the router died or was stopped under it.
  case interrupted = 2
  /// The client left.
  case cancelled = 3

  /// The word in the ledger.
  public var name: String {
    switch self {
    case .completed: "completed"
    case .failed: "failed"
    case .interrupted: "interrupted"
    case .cancelled: "cancelled"
    }
  }
}

/// What an attempt consumed and how it ended; journaled before the client sees the end of its answer.
public struct AttemptSettled: Sendable, Equatable {
  /// The id of its `AttemptOpened`.
  public var id: RecordID
  /// Counts; nil is unknown, which is not zero.
  public var usage = TokenUsage()
  public var inputSource = TokenSource.unknown
  public var outputSource = TokenSource.unknown
  /// Deltas counted in passing, also when the provider's count is used.
  public var observedOutput: Int64 = 0
  /// Nano-USD; nil when it cannot be known.
  public var cost: Int64?
  /// Version of the price that `cost` was computed with.
  public var priceVersion: UInt64 = 0
  /// Microseconds from the attempt's start to its first content; nil when none came.
  public var timeToFirstToken: UInt64?
  /// Microseconds from the attempt's start to its end.
  public var duration: UInt64 = 0
  public var outcome: Outcome
  public var failure = FailureClass.none
  /// The provider's status; nil when no response head came.
  public var httpStatus: UInt16?
  /// The last attempt of its completion: what the client saw.
  public var isFinal = false
  public var flags: UsageFlags = []

  public init(id: RecordID, outcome: Outcome) {
    self.id = id
    self.outcome = outcome
  }

  /// Whether it brings the usage that came too late for an earlier record of the same end, which has these flags.
  func completes(_ flags: UsageFlags) -> Bool {
    flags.contains(.usageMissing) && self.flags.contains(.usageLate) && !self.flags.contains(.usageMissing)
  }
}
