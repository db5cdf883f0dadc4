/// Reads a chunked request body (RFC 9112 section 7.1), strictly: only CR LF ends a line, sizes have at most 16
/// hexadecimal digits, extensions together 1 KiB, the trailer section 8 KiB.
public struct ChunkedBody: Sendable {
  private enum State: Sendable {
    case size, content, contentEnd, trailer, done
  }

  public static let extensionLimit = 1024
  public static let trailerLimit = 8 * 1024

  private var state = State.size
  private var remaining = 0
  private var extensionBytes = 0
  private var trailerBytes = 0

  public init() {}

  /// Whether the last chunk and the trailer section have been read.
  public var isDone: Bool { if case .done = state { true } else { false } }

  /// Reads on from the start of `bytes`, handing out pieces of content.
  ///
  /// - Returns: how many bytes were read; the rest needs more behind it, or belongs to the next request.
  public mutating func read(
    _ bytes: Span<UInt8>, content: (Span<UInt8>) -> Void
  ) throws(FramingRefusal) -> Int {
    var at = 0
    while at < bytes.count {
      switch state {
      case .size:
        guard let end = try Self.lineEnd(bytes, from: at, limit: 18 + Self.extensionLimit) else { return at }
        try readSize(bytes, at..<end)
        at = end + 2
        state = remaining == 0 ? .trailer : .content
      case .content:
        let count = min(remaining, bytes.count - at)
        content(bytes.extracting(at..<at + count))
        at += count
        remaining -= count
        if remaining == 0 { state = .contentEnd }
      case .contentEnd:
        guard at + 1 < bytes.count else {
          if bytes[at] != Byte.carriageReturn { throw FramingRefusal(400, "a chunk is longer than its size says") }
          return at
        }
        guard bytes[at] == Byte.carriageReturn, bytes[at + 1] == Byte.lineFeed else {
          throw FramingRefusal(400, "a chunk is longer than its size says")
        }
        at += 2
        state = .size
      case .trailer:
        guard let end = try Self.lineEnd(bytes, from: at, limit: Self.trailerLimit) else { return at }
        if end == at {
          state = .done
          return at + 2
        }
        trailerBytes += end - at
        if trailerBytes > Self.trailerLimit { throw FramingRefusal(431, "the trailer section is longer than 8 KiB") }
        let field = try RequestHead.parseField(bytes, at: &at)
        if bytes.matches(field.name, "transfer-encoding") || bytes.matches(field.name, "content-length")
          || bytes.matches(field.name, "host")
        {
          throw FramingRefusal(400, "a trailer field may not change the framing")
        }
      case .done:
        return at
      }
    }
    return at
  }

  private mutating func readSize(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(FramingRefusal) {
    var at = line.lowerBound
    var size: UInt64 = 0
    while at < line.upperBound, let digit = Byte.hexadecimal(bytes[at]) {
      guard at - line.lowerBound < 16 else { throw FramingRefusal(400, "a chunk size has more than 16 digits") }
      size = size << 4 | UInt64(digit)
      at += 1
    }
    guard at > line.lowerBound, size <= 1 << 48 else { throw FramingRefusal(400, "a chunk size is not a number") }
    if at < line.upperBound {
      guard bytes[at] == UInt8(ascii: ";") else { throw FramingRefusal(400, "a chunk size is not a number") }
      extensionBytes += line.upperBound - at
      guard extensionBytes <= Self.extensionLimit else {
        throw FramingRefusal(400, "chunk extensions are longer than 1 KiB")
      }
      for index in at..<line.upperBound where !Byte.isFieldContent(bytes[index]) {
        throw FramingRefusal(400, "a chunk extension has a control character")
      }
    }
    remaining = Int(size)
  }

  /// The end of a line that ends in CR LF, or `nil` while it is incomplete. A bare CR or LF is refused.
  private static func lineEnd(_ bytes: Span<UInt8>, from start: Int, limit: Int) throws(FramingRefusal) -> Int? {
    var at = start
    while at < bytes.count {
      if at - start > limit { throw FramingRefusal(400, "a line of the chunked framing is too long") }
      if bytes[at] == Byte.lineFeed { throw FramingRefusal(400, "a line feed stands alone in the chunked framing") }
      if bytes[at] == Byte.carriageReturn {
        guard at + 1 < bytes.count else { return nil }
        guard bytes[at + 1] == Byte.lineFeed else {
          throw FramingRefusal(400, "a carriage return stands alone in the chunked framing")
        }
        return at
      }
      at += 1
    }
    return nil
  }
}
