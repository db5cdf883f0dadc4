import FoundationEssentials

extension LedgerRow: Encodable {
  private enum Keys: String, CodingKey {
    case attempt_id, completion_id, generation_id, time_ms, key, route, rule, model, provider, endpoint, attempt, reason
    case streamed, prompt_bytes, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens
    case observed_output_tokens, input_source, output_source, cost_nanousd, price_version, ttft_ms, duration_ms, outcome
    case failure, status, final, flags
  }

  /// Every key is always there; unknown is null.
  public func encode(to encoder: any Encoder) throws {
    var all = encoder.container(keyedBy: Keys.self)
    try all.encode(attemptID, forKey: .attempt_id)
    try all.encode(completionID, forKey: .completion_id)
    try all.encode(generationID, forKey: .generation_id)
    try all.encode(unixMilliseconds, forKey: .time_ms)
    try all.encode(key, forKey: .key)
    try all.encode(route, forKey: .route)
    try all.encode(rule, forKey: .rule)
    try all.encode(model, forKey: .model)
    try all.encode(provider, forKey: .provider)
    try all.encode(endpoint, forKey: .endpoint)
    try all.encode(attempt, forKey: .attempt)
    try all.encode(reason, forKey: .reason)
    try all.encode(streamed, forKey: .streamed)
    try all.encode(promptBytes, forKey: .prompt_bytes)
    try all.encode(inputTokens, forKey: .input_tokens)
    try all.encode(cachedInputTokens, forKey: .cached_input_tokens)
    try all.encode(cacheWriteTokens, forKey: .cache_write_tokens)
    try all.encode(outputTokens, forKey: .output_tokens)
    try all.encode(reasoningTokens, forKey: .reasoning_tokens)
    try all.encode(observedOutputTokens, forKey: .observed_output_tokens)
    try all.encode(inputSource, forKey: .input_source)
    try all.encode(outputSource, forKey: .output_source)
    try all.encode(costNanoUSD, forKey: .cost_nanousd)
    try all.encode(priceVersion, forKey: .price_version)
    try all.encode(timeToFirstToken.map(milliseconds), forKey: .ttft_ms)
    try all.encode(duration.map(milliseconds), forKey: .duration_ms)
    try all.encode(outcome, forKey: .outcome)
    try all.encode(failure, forKey: .failure)
    try all.encode(httpStatus, forKey: .status)
    try all.encode(isFinal, forKey: .final)
    try all.encode(flags.names, forKey: .flags)
  }
}

/// Rows as a program reads them: one JSON array.
public func rowsJSON(_ rows: [LedgerRow]) -> String { LedgerJSON.of(rows) }

enum LedgerJSON {
  /// JSON text of a value that cannot fail to encode: it has no number that is not finite.
  static func of(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let bytes = try? encoder.encode(value) else { return "null" }
    return String(decoding: bytes, as: UTF8.self)
  }
}
