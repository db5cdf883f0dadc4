import Wire

/// What one attempt taught about its endpoint. Made by the loop that ran it, handed over in batches, and folded off the
/// request path. An attempt whose client left, or whose request was at fault, teaches only what it saw.
public struct AttemptObservation: Sendable {
  public enum Result: UInt8, Sendable {
    case completed
    /// It failed before content: refused, unreachable, too late, empty, an error.
    case failed
    /// It broke off after content.
    case interrupted
    /// 429: counts against nothing but the headroom (OpenRouter leaves it out of the uptime too).
    case rateLimited
    /// The client left, or its request was at fault.
    case unjudged
  }

  /// `Endpoint.key`.
  public var endpoint: UInt64
  /// Name of the route.
  public var route: String
  /// Monotonic nanoseconds of the attempt's end.
  public var at: UInt64
  public var result: Result
  /// Microseconds from its start to its first content; `nil` when none came. For an unstreamed answer `nil`.
  public var firstToken: UInt64?
  /// Microseconds from its start to its end.
  public var duration: UInt64
  /// Counts by the provider; `nil` is unknown.
  public var usage = TokenUsage()
  /// Bytes of the prompt without media, when there is none of it (else 0): what tokens are estimated from.
  public var promptBytes = 0
  /// The request goes on a conversation that the index knew.
  public var isContinuation = false
  /// Prompt tokens that the index expected to be in the endpoint's cache.
  public var expectedCached: Int64 = 0
  /// The client asked for tools, or for JSON, and what became of it; `nil` when it asked for neither.
  public var quality: QualityVerdict?
  /// What `quality` is to be told by, when that is still to be done: not on the request path.
  public var sample: AnswerSample?

  public init(endpoint: UInt64, route: String, at: UInt64, result: Result, duration: UInt64) {
    self.endpoint = endpoint
    self.route = route
    self.at = at
    self.result = result
    self.duration = duration
  }
}

/// What an answer was worth, as far as a router can tell.
public struct QualityVerdict: Sendable, Equatable {
  /// The answer ended in tool calls; and whether any of them has arguments that do not parse, names no tool that was
  /// offered, or does not fit that tool's schema.
  public var hasToolCalls = false
  public var hasBadToolCall = false
  /// The client asked for JSON; and whether the answer is none, or does not fit the schema.
  public var wantsJSON = false
  public var hasBadJSON = false
  /// It finished without a token.
  public var isEmpty = false

  public init() {}
}

/// An answer to be judged, with what the client asked.
public struct AnswerSample: Sendable {
  /// The values of `tools` and `response_format` as the client sent them; empty when it did not.
  public var tools: [UInt8]
  public var responseFormat: [UInt8]
  public var answer = AnswerCollector()
  /// It came to its end by itself: neither cut nor at its length limit.
  public var isComplete = false

  public init(tools: [UInt8], responseFormat: [UInt8]) {
    self.tools = tools
    self.responseFormat = responseFormat
  }

  /// What the answer was worth.
  public var verdict: QualityVerdict {
    let quality = AnswerQuality(
      tools: tools, responseFormat: responseFormat, answer: answer, isComplete: isComplete)
    var verdict = QualityVerdict()
    verdict.hasToolCalls = quality.hasToolCalls
    verdict.hasBadToolCall = quality.hasBadToolCall
    verdict.wantsJSON = quality.wantsJSON
    verdict.hasBadJSON = quality.hasBadJSON
    return verdict
  }
}
