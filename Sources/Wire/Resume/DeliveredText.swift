/// The text of an answer as its client has got it, so that another endpoint can go on behind it. An answer that is
/// more than one plain text is not kept.
public struct DeliveredText: Sendable {
  /// How long a text may become, in bytes; a longer one cannot be gone on with.
  public static let limit = 1 << 20

  /// Unescaped UTF-8; empty once it cannot be gone on with.
  public private(set) var text: [UInt8] = []
  /// How many events brought text: about as many tokens.
  public private(set) var pieces = 0
  private var isPlain = true

  public init() {}

  /// Whether the answer so far is one text that another endpoint can go on behind. Reasoning, a tool call, audio, a
  /// refusal, a second choice, more than ``limit`` bytes, or an end in the middle of a character make it false.
  public var isResumable: Bool { isPlain && !text.span.endsInReplacement }

  /// Adds what one event brought, once it has gone to the client.
  ///
  /// - Parameters:
  ///   - data: the event's data.
  ///   - scan: the scan of just these bytes.
  public mutating func add(_ data: Span<UInt8>, _ scan: ChunkScan) {
    guard isPlain, scan.hasContent else { return }
    guard scan.isPlainText, let range = scan.text, range.count <= Self.limit - text.count else { return giveUp() }
    scan.appendText(data, to: &text)
    pieces += 1
  }

  private mutating func giveUp() {
    isPlain = false
    text = []
  }
}

extension ChunkScan {
  /// The event's text, unescaped; empty when it has none.
  ///
  /// - Parameter data: the bytes that were scanned.
  public func unescapedText(_ data: Span<UInt8>) -> [UInt8] {
    var output: [UInt8] = []
    appendText(data, to: &output)
    return output
  }

  func appendText(_ data: Span<UInt8>, to output: inout [UInt8]) {
    guard let text else { return }
    data.withJSONBytes { bytes in
      let piece = UnsafeBufferPointer(start: bytes.start + text.lowerBound, count: text.count)
      if piece.contains(UInt8(ascii: "\\")) {
        output.append(contentsOf: JSONUnescaped(bytes, text))
      } else {
        output.append(contentsOf: piece)
      }
    }
  }

  /// The event's data with another text; all else byte for byte. Nothing is changed in an event without text.
  ///
  /// - Parameter data: the bytes that were scanned.
  public func replacingText(_ data: Span<UInt8>, by replacement: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(data.count + replacement.count)
    func copy(_ range: Range<Int>) {
      data.extracting(range).withUnsafeBufferPointer { output.append(contentsOf: $0) }
    }
    guard let text else {
      copy(0..<data.count)
      return output
    }
    copy(0..<text.lowerBound - 1)
    JSONText.append(replacement.span, to: &output)
    copy(text.upperBound + 1..<data.count)
    return output
  }

  /// An event's data that brings the first choice a text.
  public static func contentChunk(_ kind: RequestKind, identity: ChunkIdentity, text: [UInt8]) -> [UInt8] {
    var output: [UInt8] = [UInt8(ascii: "{")]
    output.reserveCapacity(text.count + 256)
    identity.appendMembers(object: kind.chunkObject, to: &output)
    switch kind {
    case .chatCompletions: JSONText.appendVerbatim(#","choices":[{"index":0,"delta":{"content":"#, to: &output)
    case .completions: JSONText.appendVerbatim(#","choices":[{"index":0,"text":"#, to: &output)
    }
    JSONText.append(text.span, to: &output)
    switch kind {
    case .chatCompletions: JSONText.appendVerbatim(#"},"logprobs":null,"finish_reason":null}]}"#, to: &output)
    case .completions: JSONText.appendVerbatim(#","logprobs":null,"finish_reason":null}]}"#, to: &output)
    }
    return output
  }
}

extension Span<UInt8> {
  /// Whether the text ends in U+FFFD: so engines send a character of which only some bytes are there.
  var endsInReplacement: Bool {
    count >= 3 && self[count - 3] == 0xef && self[count - 2] == 0xbf && self[count - 1] == 0xbd
  }

  /// How long the text is without the blanks at its end: those that Python's `str.strip` takes, by which chat templates
  /// trim.
  var countWithoutTrailingBlanks: Int {
    var end = count
    while end > 0 {
      let last = self[end - 1]
      if Self.isBlank(last) {
        end -= 1
      } else if end >= 2, self[end - 2] == 0xc2, last == 0x85 || last == 0xa0 {
        end -= 2
      } else if end >= 3, Self.isBlank(self[end - 3], self[end - 2], last) {
        end -= 3
      } else {
        break
      }
    }
    return end
  }

  /// How many bytes of blanks the text begins with.
  var leadingBlanks: Int {
    var start = 0
    while start < count {
      if Self.isBlank(self[start]) {
        start += 1
      } else if start + 2 <= count, self[start] == 0xc2, self[start + 1] == 0x85 || self[start + 1] == 0xa0 {
        start += 2
      } else if start + 3 <= count, Self.isBlank(self[start], self[start + 1], self[start + 2]) {
        start += 3
      } else {
        break
      }
    }
    return start
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0d).contains(byte) || (0x1c...0x1f).contains(byte)
  }

  /// U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
  private static func isBlank(_ first: UInt8, _ second: UInt8, _ third: UInt8) -> Bool {
    switch (first, second) {
    case (0xe1, 0x9a): third == 0x80
    case (0xe2, 0x80): third <= 0x8a || third == 0xa8 || third == 0xa9 || third == 0xaf
    case (0xe2, 0x81): third == 0x9f
    case (0xe3, 0x80): third == 0x80
    default: false
    }
  }
}
