/// One attempt as the ledger has it. Nil is unknown; an attempt that still runs has `outcome` "open".
public struct LedgerRow: Sendable, Equatable {
  public var attemptID: String
  public var completionID: String
  /// When the attempt started, Unix milliseconds.
  public var unixMilliseconds: Int64
  /// Nil when the listener is open.
  public var key: String?
  public var route: String
  /// Nil when no rule matched.
  public var rule: String?
  public var model: String
  public var provider: String
  public var endpoint: String
  public var attempt: Int64
  public var reason: String
  public var streamed: Bool
  public var promptBytes: Int64
  public var inputTokens: Int64?
  public var cachedInputTokens: Int64?
  public var cacheWriteTokens: Int64?
  public var outputTokens: Int64?
  public var reasoningTokens: Int64?
  public var observedOutputTokens: Int64?
  public var inputSource: String
  public var outputSource: String
  public var costNanoUSD: Int64?
  public var priceVersion: UInt64
  /// Microseconds.
  public var timeToFirstToken: Int64?
  /// Microseconds.
  public var duration: Int64?
  public var outcome: String
  public var failure: String?
  public var httpStatus: Int64?
  public var isFinal: Bool
  public var flags: UsageFlags

  /// The id that the client saw: `gen-` and the completion's 32 digits.
  public var generationID: String { "gen-" + completionID.filter { $0 != "-" } }
}

/// Which rows are asked for. A nil or empty part does not restrict.
public struct LedgerFilter: Sendable {
  /// Attempts that started at or after this time, Unix milliseconds.
  public var since: Int64?
  /// Attempts that started before this time, Unix milliseconds.
  public var until: Int64?
  public var key: String?
  public var route: String?
  public var model: String?
  public var provider: String?
  /// Attempts of this completion only.
  public var completion: RecordID?
  /// At most so many, the newest.
  public var limit: Int?

  public init() {}
}
