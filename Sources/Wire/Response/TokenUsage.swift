/// How many tokens a completion took. Each count is optional: unknown is not zero.
public struct TokenUsage: Sendable, Equatable {
  /// The largest count that is believed: 2^53, the largest integer that every JSON reader keeps exact.
  public static let limit: Int64 = 1 << 53

  public var input: Int64?
  public var output: Int64?
  /// Input tokens that the provider read from its cache; part of `input`.
  public var cachedInput: Int64?
  /// Input tokens that the provider wrote to its cache; part of `input`.
  public var cacheWrite: Int64?
  /// Tokens of reasoning; part of `output`.
  public var reasoning: Int64?

  public init(
    input: Int64? = nil, output: Int64? = nil, cachedInput: Int64? = nil, cacheWrite: Int64? = nil,
    reasoning: Int64? = nil
  ) {
    self.input = input
    self.output = output
    self.cachedInput = cachedInput
    self.cacheWrite = cacheWrite
    self.reasoning = reasoning
  }

  /// As OpenAI's `usage` object.
  public var json: [UInt8] {
    func members(_ counts: [(name: String, count: Int64?)]) -> String {
      counts.compactMap { each in each.count.map { "\"\(each.name)\":\($0)" } }.joined(separator: ",")
    }
    let total = input.flatMap { input in output.map { input &+ $0 } }
    let parts = [
      members([("prompt_tokens", input), ("completion_tokens", output), ("total_tokens", total)]),
      members([("cached_tokens", cachedInput), ("cache_write_tokens", cacheWrite)]),
      members([("reasoning_tokens", reasoning)]),
    ]
    let frames = [("", ""), (#""prompt_tokens_details":{"#, "}"), (#""completion_tokens_details":{"#, "}")]
    let filled = zip(parts, frames).filter { !$0.0.isEmpty }.map { $1.0 + $0 + $1.1 }
    return Array("{\(filled.joined(separator: ","))}".utf8)
  }

  /// Takes over what a later report knows. Reports are cumulative: the last wins, nothing is added up.
  public mutating func merge(last: TokenUsage) {
    input = last.input ?? input
    output = last.output ?? output
    cachedInput = last.cachedInput ?? cachedInput
    cacheWrite = last.cacheWrite ?? cacheWrite
    reasoning = last.reasoning ?? reasoning
  }
}
