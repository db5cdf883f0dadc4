/// A router as the judge sees it: it is asked before each attempt, and told how each ended.
protocol Chooser: AnyObject {
  var name: String { get }

  /// What it has heard of the fleet changed.
  func hear(_ world: JudgedWorld, at now: UInt64)

  /// A request came; `next` is asked about it until it is over. A chooser has many requests under way at once.
  func begin(_ request: JudgedRequest, at now: UInt64)

  /// The endpoint to try; `nil`: give up.
  func next(_ request: JudgedRequest, at now: UInt64) -> Int?

  /// The first token of the running attempt came. Not every chooser learns from that.
  func answers(_ request: JudgedRequest, at now: UInt64)

  /// An attempt ended. After `completed` and `interrupted` the request is over, as after `next` gave `nil`.
  func ended(_ request: JudgedRequest, _ report: AttemptReport, at now: UInt64)
}

extension Chooser {
  func answers(_ request: JudgedRequest, at now: UInt64) {}
}

/// One request of an agent.
struct JudgedRequest {
  /// Unique in a run.
  var id: Int
  /// The place in the world's conversations.
  var conversation: Int
  var group: Int
  /// From 0.
  var turn: Int
  /// What the true count is, for choosers that would count; Pointsman is given only the bytes.
  var promptTokens: Int64
  var promptBytes: Int
  var systemBytes: Int
}

/// How an attempt ended.
struct AttemptReport {
  enum Result { case completed, failed, interrupted, rateLimited }

  var endpoint: Int
  var result: Result
  var started: UInt64
  var firstToken: UInt64?
  /// As the provider reports at the end of a whole answer.
  var promptTokens: Int64 = 0
  var cachedTokens: Int64 = 0
  var outputTokens: Int64 = 0
  /// Nanoseconds until which there is no room, of a 429 and of an answer that used the last of the rate limit.
  var retryAfter: UInt64?
}
