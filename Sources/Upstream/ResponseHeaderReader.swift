/// Reads response header lines as libcurl hands them over, and refuses what failures.md's wire rules refuse: both
/// framings at once, a coding of the body that nobody asked for, a folded line, more than 100 fields or 64 KiB, more than
/// ten informational responses, a protocol switch.
struct ResponseHeaderReader {
  enum Step: Equatable {
    case more
    /// The final head is complete.
    case complete
    case refused(String)
  }

  private(set) var head = UpstreamHead()
  private var fields = 0
  private var bytes = 0
  private var informational = 0
  private var hasLength = false
  private var hasTransferEncoding = false
  /// Whether the final head has been read.
  private(set) var isComplete = false
  private var limits = RateLimitReader()

  /// Takes one line with its line end, or a trailer line.
  mutating func read(_ line: Span<UInt8>) -> Step {
    bytes += line.count
    if bytes > 64 << 10 { return .refused("the response head is longer than 64 KiB") }
    if isComplete {
      fields += 1
      return fields > 100 ? .refused("the response has more than 100 trailer fields") : .more
    }
    var end = line.count
    while end > 0, line[end - 1] == 13 || line[end - 1] == 10 { end -= 1 }
    if end == 0 { return finishHead() }
    if Self.starts(line, "http/") { return startHead(line, end) }
    if line[0] == 32 || line[0] == 9 { return .refused("the response has a folded header line") }
    fields += 1
    if fields > 100 { return .refused("the response has more than 100 header fields") }
    // Blanks behind a value are no part of it.
    while line[end - 1] == 32 || line[end - 1] == 9 { end -= 1 }
    return readField(line, end)
  }

  private mutating func startHead(_ line: Span<UInt8>, _ end: Int) -> Step {
    head = UpstreamHead()
    hasLength = false
    hasTransferEncoding = false
    limits = RateLimitReader()
    var at = 0
    while at < end, line[at] != 32 { at += 1 }
    while at < end, line[at] == 32 { at += 1 }
    var status = 0
    var digits = 0
    while at < end, line[at] >= 48, line[at] <= 57, digits < 4 {
      status = status * 10 + Int(line[at] - 48)
      digits += 1
      at += 1
    }
    guard digits == 3 else { return .refused("the response's status line has no three-digit status") }
    head.status = status
    return .more
  }

  private mutating func finishHead() -> Step {
    if head.status == 101 { return .refused("the provider switched protocols unasked") }
    if head.status >= 100, head.status < 200 {
      informational += 1
      return informational > 10 ? .refused("more than ten informational responses") : .more
    }
    if hasLength, hasTransferEncoding {
      return .refused("the response has both Content-Length and Transfer-Encoding")
    }
    isComplete = true
    fields = 0
    head.limitedFor = limits.limitedFor
    return .complete
  }

  private mutating func readField(_ line: Span<UInt8>, _ end: Int) -> Step {
    switch line[0] | 0x20 {
    case UInt8(ascii: "c"):
      if let value = Self.value(line, end, "content-type:") {
        if Self.starts(line, "text/event-stream", at: value) {
          head.content = .eventStream
        } else if Self.starts(line, "application/json", at: value) {
          head.content = .json
        }
      } else if let value = Self.value(line, end, "content-length:") {
        if hasLength { return .refused("the response has two Content-Length fields") }
        hasLength = true
        guard let length = RateLimitReader.count(line, value, end), length <= UInt64(Int64.max) else {
          return .refused("the response's Content-Length is not a number of 63 bits")
        }
      } else if let value = Self.value(line, end, "content-encoding:"), !Self.says(line, value, end, "identity") {
        // The request asked for none. libcurl decodes nothing either: a few bytes could become any number of them.
        return .refused("the response has a Content-Encoding that was not asked for")
      }
    case UInt8(ascii: "t"):
      if let value = Self.value(line, end, "transfer-encoding:") {
        guard !hasTransferEncoding, Self.says(line, value, end, "chunked") else {
          return .refused("the response has a Transfer-Encoding that is not: chunked")
        }
        hasTransferEncoding = true
      }
    case UInt8(ascii: "r"):
      if let value = Self.value(line, end, "retry-after:") {
        head.retryAfter = Self.text(line, value, end)
      } else if let value = Self.value(line, end, "retry-after-ms:") {
        head.retryAfterMilliseconds = Self.text(line, value, end)
      }
    case UInt8(ascii: "x"):
      if let value = Self.value(line, end, "x-ratelimit-remaining-requests:") {
        limits.requestsLeft = RateLimitReader.count(line, value, end)
      } else if let value = Self.value(line, end, "x-ratelimit-remaining-tokens:") {
        limits.tokensLeft = RateLimitReader.count(line, value, end)
      } else if let value = Self.value(line, end, "x-ratelimit-reset-requests:") {
        limits.requestsReset = RateLimitReader.duration(line, value, end)
      } else if let value = Self.value(line, end, "x-ratelimit-reset-tokens:") {
        limits.tokensReset = RateLimitReader.duration(line, value, end)
      }
    default:
      break
    }
    return .more
  }

  /// Where a field's value starts, when the line has that (lower-case) name.
  private static func value(_ line: Span<UInt8>, _ end: Int, _ name: StaticString) -> Int? {
    guard starts(line, name) else { return nil }
    var at = name.utf8CodeUnitCount
    while at < end, line[at] == 32 || line[at] == 9 { at += 1 }
    return at
  }

  /// A field's value of at most 64 bytes, without what is not printable ASCII.
  private static func text(_ line: Span<UInt8>, _ value: Int, _ end: Int) -> String? {
    guard end - value <= 64 else { return nil }
    var text = ""
    for index in value..<end where line[index] >= 32 && line[index] < 127 {
      text.unicodeScalars.append(Unicode.Scalar(line[index]))
    }
    return text
  }

  /// Whether a field's value is this (lower-case) word, whatever its case and the blanks behind it.
  private static func says(_ line: Span<UInt8>, _ value: Int, _ end: Int, _ word: StaticString) -> Bool {
    guard starts(line, word, at: value) else { return false }
    // It has no line end in it, so it stands before `end`.
    for index in value + word.utf8CodeUnitCount..<end
    where line[index] != 32 && line[index] != 9 {
      return false
    }
    return true
  }

  private static func starts(_ line: Span<UInt8>, _ text: StaticString, at start: Int = 0) -> Bool {
    let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard line.count - start >= expected.count else { return false }
    for index in 0..<expected.count {
      let byte = line[start + index]
      if (byte >= 65 && byte <= 90 ? byte | 0x20 : byte) != expected[index] { return false }
    }
    return true
  }
}
