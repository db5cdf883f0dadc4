extension RuleCondition {
  /// Why no request can fulfil it; `nil` when one can.
  var contradiction: String? {
    if let minPromptTokens, let maxPromptTokens, minPromptTokens > maxPromptTokens {
      return "min is above max"
    }
    if let window, window.isEmpty { return "its time window is empty" }
    return nil
  }

  /// Whether every request that fulfils `other` fulfils this too. Each part is looked at on its own.
  func covers(_ other: RuleCondition) -> Bool {
    if let least = minPromptTokens, least > 0, (other.minPromptTokens ?? 0) < least { return false }
    if let most = maxPromptTokens, (other.maxPromptTokens ?? .max) > most { return false }
    for part: KeyPath<RuleCondition, Bool?> in [\.hasTools, \.hasImages, \.isStructured, \.isStreamed] {
      if let wanted = self[keyPath: part], other[keyPath: part] != wanted { return false }
    }
    for part: KeyPath<RuleCondition, [String]> in [\.keys, \.tags] {
      let (own, others) = (self[keyPath: part], other[keyPath: part])
      if !own.isEmpty, others.isEmpty || !others.allSatisfy(own.contains) { return false }
    }
    guard headers.allSatisfy(other.headers.contains) else { return false }
    guard let window else { return true }
    return (0..<1_440).allSatisfy { minute in
      window.contains(minuteOfDay: minute) || other.window?.contains(minuteOfDay: minute) == false
    }
  }
}
