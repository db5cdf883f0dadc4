extension RequestScan {
  /// The body without reasoning that only its maker accepts back, for an endpoint that did not make it: the members
  /// `reasoning_details`, `thinking_blocks`, `signature` and `thought_signature` are left out wherever they are in the
  /// messages. Slow, and only for a conversation that had to move.
  ///
  /// - Parameter body: the bytes that were scanned.
  /// - Returns: the new body and its scan; `nil` when it cannot be read again, which cannot be after a scan.
  public func strippingSignatures(_ body: Span<UInt8>) -> (body: [UInt8], scan: RequestScan)? {
    guard let messages = members.first(where: { $0.routed == .messages })?.value else { return nil }
    var stripped: [UInt8] = []
    stripped.reserveCapacity(body.count)
    let isWritten = body.withJSONBytes { bytes in
      Self.copy(bytes, 0..<messages.lowerBound, to: &stripped)
      var cursor = JSONCursor(bytes, position: messages.lowerBound, depthLimit: RequestScanner.depthLimit)
      do throws(JSONFault) {
        try Self.writeWithoutSignatures(&cursor, to: &stripped)
      } catch {
        return false
      }
      Self.copy(bytes, messages.upperBound..<bytes.count, to: &stripped)
      return true
    }
    guard isWritten else { return nil }
    var scanner = RequestScanner(kind: kind)
    guard let scan = try? scanner.finish(stripped.span) else { return nil }
    return (stripped, scan)
  }

  private static func copy(_ bytes: JSONBytes, _ range: Range<Int>, to output: inout [UInt8]) {
    for index in range { output.append(bytes[index]) }
  }

  /// Recursion is bounded by the cursor's depth limit.
  private static func writeWithoutSignatures(
    _ cursor: inout JSONCursor, to output: inout [UInt8]
  ) throws(JSONFault) {
    switch try cursor.peek() {
    case UInt8(ascii: "{"):
      output.append(UInt8(ascii: "{"))
      if try cursor.openObject() {
        var isFirst = true
        repeat {
          let key = try cursor.key()
          if isSigned(cursor, key) {
            _ = try cursor.value()
            continue
          }
          if !isFirst { output.append(UInt8(ascii: ",")) }
          isFirst = false
          copy(cursor.bytes, key.range.lowerBound - 1..<key.range.upperBound + 1, to: &output)
          output.append(UInt8(ascii: ":"))
          try writeWithoutSignatures(&cursor, to: &output)
        } while try cursor.hasNextMember()
      }
      output.append(UInt8(ascii: "}"))
    case UInt8(ascii: "["):
      output.append(UInt8(ascii: "["))
      if try cursor.openArray() {
        var isFirst = true
        repeat {
          if !isFirst { output.append(UInt8(ascii: ",")) }
          isFirst = false
          try writeWithoutSignatures(&cursor, to: &output)
        } while try cursor.hasNextElement()
      }
      output.append(UInt8(ascii: "]"))
    default:
      copy(cursor.bytes, try cursor.value().range, to: &output)
    }
  }

  private static func isSigned(_ cursor: JSONCursor, _ key: JSONCursor.Key) -> Bool {
    cursor.matches(key, "reasoning_details") || cursor.matches(key, "thinking_blocks")
      || cursor.matches(key, "signature") || cursor.matches(key, "thought_signature")
  }
}
