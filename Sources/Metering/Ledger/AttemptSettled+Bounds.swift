extension AttemptSettled {
  /// No real answer has more tokens.
  static let maximumTokens: Int64 = 1_000_000_000_000
  /// A million USD, in nano-USD: no real attempt costs more.
  static let maximumCost: Int64 = 1_000_000_000_000_000

  /// The record with counts that no answer can have made unknown, and flagged: they would make every later sum overflow.
  public var bounded: AttemptSettled {
    var result = self
    var isBeyond = false
    func bound(_ value: inout Int64?, _ maximum: Int64) {
      guard let given = value, given < 0 || given > maximum else { return }
      value = nil
      isBeyond = true
    }
    bound(&result.usage.input, Self.maximumTokens)
    bound(&result.usage.output, Self.maximumTokens)
    bound(&result.usage.cachedInput, Self.maximumTokens)
    bound(&result.usage.cacheWrite, Self.maximumTokens)
    bound(&result.usage.reasoning, Self.maximumTokens)
    bound(&result.cost, Self.maximumCost)
    if result.usage.input == nil { result.inputSource = .unknown }
    if result.usage.output == nil { result.outputSource = .unknown }
    result.observedOutput = min(max(observedOutput, 0), Self.maximumTokens)
    if isBeyond { result.flags.insert(.usageBeyondBounds) }
    return result
  }
}
