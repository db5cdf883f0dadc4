/// A provider's `usage` object: the counts in it, and where a cost stands or would stand.
///
/// The keys are those of OpenAI's chat and completions (`prompt_tokens` …) and of its responses (`input_tokens` …).
struct UsageObject {
  var usage = TokenUsage()
  /// Whether a count was there that is no whole number from 0 to 2^53.
  var isInvalid = false
  /// The whole object, braces included.
  var range: Range<Int>
  var isEmpty = true
  /// The value of `cost`, if there is one.
  var cost: Range<Int>?

  /// Reads the object at the cursor.
  init(_ cursor: inout JSONCursor) throws(JSONFault) {
    _ = try cursor.peek()
    let first = cursor.position
    range = first..<first
    if try cursor.openObject() {
      isEmpty = false
      repeat {
        let key = try cursor.key()
        if cursor.matches(key, "prompt_tokens") || cursor.matches(key, "input_tokens") {
          usage.input = try count(&cursor)
        } else if cursor.matches(key, "completion_tokens") || cursor.matches(key, "output_tokens") {
          usage.output = try count(&cursor)
        } else if cursor.matches(key, "prompt_tokens_details") || cursor.matches(key, "input_tokens_details") {
          try inputDetails(&cursor)
        } else if cursor.matches(key, "completion_tokens_details") || cursor.matches(key, "output_tokens_details") {
          try outputDetails(&cursor)
        } else if cursor.matches(key, "cost") {
          cost = try cursor.value().range
        } else {
          _ = try cursor.value()
        }
      } while try cursor.hasNextMember()
    }
    range = first..<cursor.position
  }

  private mutating func inputDetails(_ cursor: inout JSONCursor) throws(JSONFault) {
    guard try enterDetails(&cursor) else { return }
    repeat {
      let key = try cursor.key()
      if cursor.matches(key, "cached_tokens") {
        usage.cachedInput = try count(&cursor)
      } else if cursor.matches(key, "cache_write_tokens") {
        usage.cacheWrite = try count(&cursor)
      } else {
        _ = try cursor.value()
      }
    } while try cursor.hasNextMember()
  }

  private mutating func outputDetails(_ cursor: inout JSONCursor) throws(JSONFault) {
    guard try enterDetails(&cursor) else { return }
    repeat {
      let key = try cursor.key()
      if cursor.matches(key, "reasoning_tokens") {
        usage.reasoning = try count(&cursor)
      } else {
        _ = try cursor.value()
      }
    } while try cursor.hasNextMember()
  }

  /// Enters an object of details; null is none, anything else is invalid.
  private mutating func enterDetails(_ cursor: inout JSONCursor) throws(JSONFault) -> Bool {
    if try cursor.peek() == UInt8(ascii: "{") { return try cursor.openObject() }
    if try cursor.value().kind != .null { isInvalid = true }
    return false
  }

  private mutating func count(_ cursor: inout JSONCursor) throws(JSONFault) -> Int64? {
    let (kind, range) = try cursor.value()
    if kind == .null { return nil }
    if kind == .number, let value = cursor.bytes.wholeNumber(range), value <= TokenUsage.limit { return value }
    isInvalid = true
    return nil
  }
}
