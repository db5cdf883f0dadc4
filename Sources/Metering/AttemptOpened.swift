/// Why an attempt was made. The numbers are journal format: add at the end only.
public enum AttemptReason: UInt8, CaseIterable, Sendable {
  case first = 0
  case fallback = 1
  case staleConnection = 2
  /// The same endpoint once more: after a failure that may pass, or after the wait that it asked for.
  case retry = 3
  /// A second attempt beside one whose first token was late.
  case hedge = 4
  /// It carries on an answer that was cut.
  case resume = 5
  /// The same endpoint by another key of the provider.
  case otherKey = 6

  /// The word in the ledger.
  public var name: String {
    switch self {
    case .first: "first"
    case .fallback: "fallback"
    case .staleConnection: "stale_connection"
    case .retry: "retry"
    case .hedge: "hedge"
    case .resume: "resume"
    case .otherKey: "other_key"
    }
  }
}

/// What is known when an attempt starts; journaled before its bytes go to the provider.
public struct AttemptOpened: Sendable, Equatable {
  /// The attempt, made by the router.
  public var id: RecordID
  /// The completion that it is a try of; the client sees it as `gen-…`.
  public var completion: RecordID
  public var unixMilliseconds: UInt64
  /// Name of the client's key; empty when the listener is open.
  public var key = ""
  public var route = ""
  /// Name of the rule that matched; empty when none did.
  public var rule = ""
  public var model = ""
  public var provider = ""
  public var endpoint = ""
  /// 1 for the first try of the completion.
  public var attempt: UInt16 = 1
  public var reason = AttemptReason.first
  /// Version of the price that was in force when the endpoint was picked.
  public var priceVersion: UInt64 = 0
  /// Length of the request body that is sent.
  public var promptBytes: UInt64 = 0
  public var streamed = false

  public init(id: RecordID, completion: RecordID, unixMilliseconds: UInt64) {
    self.id = id
    self.completion = completion
    self.unixMilliseconds = unixMilliseconds
  }
}
