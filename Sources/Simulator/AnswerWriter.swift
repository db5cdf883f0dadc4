import Loop

/// The bytes of one connection's answers on their way out: framing, the cut at a byte of the body, and counts.
struct AnswerWriter: ~Copyable {
  enum Framing { case length, chunked, untilClose }

  /// What the socket has not taken yet.
  var output = ByteBuffer()
  var framing = Framing.length
  /// Bytes of body after which nothing more is sent.
  var bodyLimit = Int.max
  /// The chunk in which the limit lies is announced at its full size, and never comes to its end.
  var cutsInsideChunk = false
  private(set) var bodyBytes = 0
  /// Bytes of this answer that the socket has taken, the head included.
  private(set) var written = 0

  /// Starts the next answer.
  mutating func reset() {
    framing = .length
    bodyLimit = .max
    cutsInsideChunk = false
    bodyBytes = 0
    written = 0
  }

  /// Whether the body has reached the limit.
  var isCut: Bool { bodyBytes >= bodyLimit }

  /// Appends a piece of body, in a chunk of its own where there are chunks.
  ///
  /// - Returns: false when the limit cut it short.
  mutating func body(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let count = min(bytes.count, bodyLimit - bodyBytes)
    guard count > 0 else { return count == bytes.count }
    let isWhole = count == bytes.count
    let isBroken = cutsInsideChunk && !isWhole
    if framing == .chunked { appendSize(isBroken ? bytes.count : count) }
    output.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    if framing == .chunked, !isBroken { output.append("\r\n") }
    bodyBytes += count
    return isWhole
  }

  mutating func body(_ bytes: borrowing ByteBuffer) -> Bool {
    var isWhole = true
    bytes.withBytes { isWhole = body($0) }
    return isWhole
  }

  /// The last chunk, where there are chunks.
  mutating func endBody() {
    if framing == .chunked { output.append("0\r\n\r\n") }
  }

  /// The socket took `count` bytes.
  mutating func took(_ count: Int) {
    output.consume(count)
    written += count
  }

  /// How many bytes the next write may hold: none of them ends within a character unless they are meant to.
  func nextWrite(_ mode: ModelBehaviour.Writes) -> Int {
    switch mode {
    case .whole, .coalesced: output.count
    case .bytewise: min(1, output.count)
    case .splitCharacters: output.withBytes { bytes in bytes.firstIndex { $0 >= 0xc0 }.map { $0 + 1 } ?? bytes.count }
    }
  }

  private mutating func appendSize(_ count: Int) {
    var shift = (Int.bitWidth - count.leadingZeroBitCount - 1) / 4 * 4
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: count >> shift & 15)
      output.append(byte: digit < 10 ? 48 + digit : 87 + digit)
      shift -= 4
    }
    output.append("\r\n")
  }
}
