extension ChunkScan {
  /// Reads `choices`: of each its index, whether it got content, and whether it ended.
  mutating func readChoices(_ cursor: inout JSONCursor) throws(JSONFault) {
    choiceCount = nil
    contentChoices = 0
    finishReason = nil
    text = nil
    hasToolCalls = false
    hasReasoning = false
    hasOtherContent = false
    seen = ChoiceSet()
    finished = ChoiceSet()
    guard try cursor.peek() == UInt8(ascii: "[") else {
      let position = cursor.position
      guard try cursor.value().kind == .null else { throw JSONFault(.unexpectedShape, at: position) }
      return
    }
    choiceCount = 0
    guard try cursor.openArray() else { return }
    var count = 0
    repeat {
      try readChoice(&cursor, place: count)
      count += 1
    } while try cursor.hasNextElement()
    choiceCount = count
  }

  private mutating func readChoice(_ cursor: inout JSONCursor, place: Int) throws(JSONFault) {
    guard try cursor.peek() == UInt8(ascii: "{") else { throw JSONFault(.unexpectedShape, at: cursor.position) }
    var index = place
    var hasContent = false
    var reason: FinishReason?
    if try cursor.openObject() {
      repeat {
        let key = try cursor.key()
        if cursor.matches(key, "delta") || cursor.matches(key, "message") {
          if try readDelta(&cursor) { hasContent = true }
        } else if cursor.matches(key, "index") {
          let (kind, range) = try cursor.value()
          guard kind == .number, let value = cursor.bytes.wholeNumber(range), value < ChoiceSet.limit else {
            throw JSONFault(.unexpectedShape, at: range.lowerBound)
          }
          index = Int(value)
        } else if cursor.matches(key, "finish_reason") {
          reason = try readReason(&cursor)
        } else if cursor.matches(key, "text") {
          let value = try cursor.value()
          if cursor.isFilled(value) {
            hasContent = true
            note(text: value)
          }
        } else {
          _ = try cursor.value()
        }
      } while try cursor.hasNextMember()
    }
    guard index < ChoiceSet.limit else { throw JSONFault(.unexpectedShape, at: cursor.position) }
    seen.insert(index)
    if hasContent { contentChoices += 1 }
    if let reason {
      finished.insert(index)
      if finishReason != .error { finishReason = reason }
    }
  }

  /// Reads a `delta` or `message`; true when it says something besides the role.
  private mutating func readDelta(_ cursor: inout JSONCursor) throws(JSONFault) -> Bool {
    guard try cursor.peek() == UInt8(ascii: "{") else {
      let position = cursor.position
      guard try cursor.value().kind == .null else { throw JSONFault(.unexpectedShape, at: position) }
      return false
    }
    guard try cursor.openObject() else { return false }
    var hasContent = false
    repeat {
      let key = try cursor.key()
      let value = try cursor.value()
      guard cursor.isFilled(value), !cursor.matches(key, "role") else { continue }
      hasContent = true
      note(cursor, key, value)
      // Plain text has no structure, so it cannot hold a signature's member.
      if value.kind != .string, !hasSignature { hasSignature = Self.holdsSignature(cursor.bytes, value.range) }
    } while try cursor.hasNextMember()
    return hasContent
  }

  /// Notes of which kind one filled member of a `delta` or `message` is.
  @inline(__always)
  private mutating func note(
    _ cursor: JSONCursor, _ key: JSONCursor.Key, _ value: (kind: JSONKind, range: Range<Int>)
  ) {
    if cursor.matches(key, "content") { return note(text: value) }
    if cursor.matches(key, "tool_calls") || cursor.matches(key, "function_call") {
      hasToolCalls = true
    } else if Self.reasoningKeys.contains(where: { cursor.matches(key, $0) }) {
      hasReasoning = true
    } else {
      hasOtherContent = true
    }
  }

  private static let reasoningKeys: [StaticString] = [
    "reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks",
  ]

  @inline(__always)
  private mutating func note(text value: (kind: JSONKind, range: Range<Int>)) {
    guard value.kind == .string, text == nil else {
      hasOtherContent = true
      return
    }
    text = value.range.lowerBound + 1..<value.range.upperBound - 1
  }

  /// Whether a piece of an answer holds reasoning that only its maker accepts back: a member `signature` or
  /// `thought_signature` that is a text, or reasoning of type `reasoning.encrypted`.
  private static func holdsSignature(_ bytes: JSONBytes, _ range: Range<Int>) -> Bool {
    var at = range.lowerBound
    while at + 12 < range.upperBound {
      defer { at += 1 }
      switch bytes[at] {
      case UInt8(ascii: "s") where bytes.equals(at..<at + 10, "signature\""):
        // Behind the name: a colon, and a text that is not empty.
        var next = bytes.blankEnd(from: at + 10)
        guard next < range.upperBound, bytes[next] == UInt8(ascii: ":") else { continue }
        next = bytes.blankEnd(from: next + 1)
        if next + 1 < range.upperBound, bytes[next] == UInt8(ascii: "\""), bytes[next + 1] != UInt8(ascii: "\"") {
          return true
        }
      case UInt8(ascii: "r") where at + 20 <= range.upperBound && bytes.equals(at..<at + 20, "reasoning.encrypted\""):
        return true
      default: break
      }
    }
    return false
  }

  /// Reads a `finish_reason`; null, an empty text and anything that is no text are none.
  private func readReason(_ cursor: inout JSONCursor) throws(JSONFault) -> FinishReason? {
    let value = try cursor.value()
    guard value.kind == .string, cursor.isFilled(value) else { return nil }
    let text = value.range.lowerBound + 1..<value.range.upperBound - 1
    if cursor.bytes.equals(text, "stop") { return .stop }
    if cursor.bytes.equals(text, "null") { return nil }
    if cursor.bytes.equals(text, "length") { return .length }
    if cursor.bytes.equals(text, "tool_calls") || cursor.bytes.equals(text, "function_call") { return .toolCalls }
    if cursor.bytes.equals(text, "content_filter") { return .contentFilter }
    if cursor.bytes.equals(text, "error") { return .error }
    return .other
  }
}
