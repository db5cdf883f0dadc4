extension ChunkScan {
  /// One event of a text completion as an event of a chat: each choice's `text` becomes `delta.content`, its `logprobs`,
  /// which have another form there, go, and `object` names the other kind. All else stays byte for byte, the finish
  /// reason and the usage too; only line ends between two tokens become spaces, so that the event is one line.
  ///
  /// - Parameter data: an event's data. What is no such event is given back as it is.
  public static func chatChunk(_ data: Span<UInt8>) -> [UInt8] {
    let converted = data.withJSONBytes { bytes -> [UInt8] in
      var output: [UInt8] = []
      output.reserveCapacity(bytes.count + 32)
      do throws(JSONFault) {
        var cursor = JSONCursor(bytes, depthLimit: depthLimit)
        let start = cursor.position
        guard try cursor.peek() == UInt8(ascii: "{") else { throw JSONFault(.unexpectedShape, at: start) }
        try appendChunk(&cursor, to: &output)
        try cursor.finish()
      } catch {
        output = Array(UnsafeBufferPointer(start: bytes.start, count: bytes.count))
      }
      return output
    }
    return converted.map { $0 == 0x0a || $0 == 0x0d ? 0x20 : $0 }
  }

  private static func appendChunk(_ cursor: inout JSONCursor, to output: inout [UInt8]) throws(JSONFault) {
    try appendObject(&cursor, to: &output) { (cursor, key, output) throws(JSONFault) in
      if cursor.matches(key, "object") {
        _ = try cursor.value()
        output += Array(#""object":"\#(RequestKind.chatCompletions.chunkObject)""#.utf8)
      } else if cursor.matches(key, "choices"), try cursor.peek() == UInt8(ascii: "[") {
        JSONText.appendVerbatim(#""choices":["#, to: &output)
        if try cursor.openArray() {
          var isFirst = true
          repeat {
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            try appendChoice(&cursor, to: &output)
          } while try cursor.hasNextElement()
        }
        output.append(UInt8(ascii: "]"))
      } else {
        append(cursor.bytes, key, try cursor.value().range, to: &output)
      }
      return true
    }
  }

  private static func appendChoice(_ cursor: inout JSONCursor, to output: inout [UInt8]) throws(JSONFault) {
    var hasDelta = false
    try appendObject(&cursor, to: &output) { (cursor, key, output) throws(JSONFault) in
      let value = try cursor.value()
      if cursor.matches(key, "logprobs") { return false }
      if cursor.matches(key, "text") || cursor.matches(key, "delta") { hasDelta = true }
      guard cursor.matches(key, "text") else {
        append(cursor.bytes, key, value.range, to: &output)
        return true
      }
      JSONText.appendVerbatim(#""delta":{"#, to: &output)
      if cursor.isFilled(value) {
        JSONText.appendVerbatim(#""content":"#, to: &output)
        append(cursor.bytes, value.range, to: &output)
      }
      output.append(UInt8(ascii: "}"))
      return true
    }
    if hasDelta { return }
    // Clients read `delta` in every choice.
    output.removeLast()
    if output.last != UInt8(ascii: "{") { output.append(UInt8(ascii: ",")) }
    JSONText.appendVerbatim(#""delta":{}}"#, to: &output)
  }

  /// Writes an object anew.
  ///
  /// - Parameter member: reads a member's value and writes the member; gives false when it wrote none.
  private static func appendObject(
    _ cursor: inout JSONCursor, to output: inout [UInt8],
    member: (inout JSONCursor, JSONCursor.Key, inout [UInt8]) throws(JSONFault) -> Bool
  ) throws(JSONFault) {
    output.append(UInt8(ascii: "{"))
    if try cursor.openObject() {
      var needsComma = false
      repeat {
        let end = output.count
        if needsComma { output.append(UInt8(ascii: ",")) }
        if try member(&cursor, try cursor.key(), &output) {
          needsComma = true
        } else {
          output.removeSubrange(end...)
        }
      } while try cursor.hasNextMember()
    }
    output.append(UInt8(ascii: "}"))
  }

  private static func append(
    _ bytes: JSONBytes, _ key: JSONCursor.Key, _ value: Range<Int>, to output: inout [UInt8]
  ) {
    append(bytes, key.range.lowerBound - 1..<key.range.upperBound + 1, to: &output)
    output.append(UInt8(ascii: ":"))
    append(bytes, value, to: &output)
  }

  private static func append(_ bytes: JSONBytes, _ range: Range<Int>, to output: inout [UInt8]) {
    output.append(contentsOf: UnsafeBufferPointer(start: bytes.start + range.lowerBound, count: range.count))
  }
}
