import CLinux

/// Looks for the end of a request's head while it arrives: every byte is looked at once, however small the pieces are,
/// and what can no longer become a head is refused at once.
public struct HeadSearch: Sendable {
  private var searched = 0

  public init() {}

  /// Where the head ends, behind its empty line, or `nil` while it is not whole. `bytes` is all that has come since the
  /// last head; the next call gets the same and more.
  public mutating func end(in bytes: Span<UInt8>) throws(FramingRefusal) -> Int? {
    let from = max(searched - 3, 0)
    let found: Int? = bytes.extracting(from..<max(bytes.count, from)).withUnsafeBytes { rest in
      let mark: StaticString = "\r\n\r\n"
      guard let start = rest.baseAddress, let at = pm_find(start, rest.count, mark.utf8Start, mark.utf8CodeUnitCount)
      else { return nil }
      return from + (at - UnsafeRawPointer(start)) + mark.utf8CodeUnitCount
    }
    guard found ?? bytes.count <= RequestHead.sizeLimit else {
      throw FramingRefusal(431, "the request's head is longer than 64 KiB; send fewer or shorter header fields")
    }
    if let found {
      searched = 0
      return found
    }
    try refuseHopeless(bytes)
    searched = bytes.count
    return nil
  }

  private func refuseHopeless(_ bytes: Span<UInt8>) throws(FramingRefusal) {
    guard bytes.count > 0 else { return }
    guard Byte.isToken(bytes[0]) else { throw FramingRefusal(400, "a request must begin with its method") }
    for index in searched..<bytes.count where bytes[index] == Byte.lineFeed && bytes[index - 1] != Byte.carriageReturn {
      throw FramingRefusal(400, "a line feed stands alone in the request's head; lines end in CR LF")
    }
    let firstLine = RequestHead.lineLimit + 2
    if searched < firstLine, bytes.count >= firstLine,
      bytes.extracting(0..<firstLine).firstIndex(of: Byte.lineFeed, from: 0) == nil
    {
      throw FramingRefusal(414, "the request line is longer than 8 KiB")
    }
  }
}
