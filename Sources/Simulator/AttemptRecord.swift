import Loop

/// How an attempt came to its end, as the log says it.
enum Closing: String, Sendable {
  /// The answer went out as it was meant to, a refusal included.
  case complete
  case clientLeft = "client-left"
  case cut
  case cutClean = "cut-clean"
  case reset
  /// The connection was closed under a request that came on it again.
  case stale
  /// Closed without an answer.
  case closed
  /// The simulator was stopped.
  case stopped
}

/// What the log says of one attempt: a line `received` when its request is whole, and a line `ended`.
struct AttemptRecord {
  /// The request's `x-pointsman-attempt`.
  var attempt: [UInt8]?
  var provider: String
  /// As in the request: JSON string content.
  var model: [UInt8]
  /// Monotonic nanoseconds.
  var began: UInt64
  var hasAuthorization: Bool
  var status = 200

  func received(into line: inout ByteBuffer) {
    append(event: "received", into: &line)
    line.append("}\n")
  }

  /// - Parameter usage: the usage object as it was sent.
  func ended(
    _ closing: Closing, tokens: Int, finish: Bool, usage: String?, bytes: Int, now: UInt64, into line: inout ByteBuffer
  ) {
    append(event: "ended", into: &line)
    line.append(",\"status\":")
    line.append(decimal: status)
    line.append(",\"tokens_sent\":")
    line.append(decimal: tokens)
    line.append(",\"finish_sent\":")
    line.append(finish ? "true" : "false")
    line.append(",\"usage\":")
    line.append(usage ?? "null")
    line.append(",\"closed\":\"")
    line.append(closing.rawValue)
    line.append("\",\"bytes_sent\":")
    line.append(decimal: bytes)
    line.append(",\"time_ms\":")
    line.append(decimal: Int(clamping: (now &- began) / 1_000_000))
    line.append("}\n")
  }

  private func append(event: StaticString, into line: inout ByteBuffer) {
    line.append("{\"event\":\"")
    line.append(event)
    line.append("\",\"attempt\":")
    if let attempt {
      line.append("\"")
      for byte in attempt {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { line.append(byte: UInt8(ascii: "\\")) }
        line.append(byte: byte >= 0x20 && byte < 0x7f ? byte : UInt8(ascii: "?"))
      }
      line.append("\"")
    } else {
      line.append("null")
    }
    line.append(",\"provider\":\"")
    line.append(provider)
    line.append("\",\"model\":\"")
    for byte in model { line.append(byte: byte >= 0x20 ? byte : UInt8(ascii: "?")) }
    line.append("\",\"authorization_seen\":")
    line.append(hasAuthorization ? "true" : "false")
  }
}
