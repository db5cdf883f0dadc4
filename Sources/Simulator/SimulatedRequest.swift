/// What the simulator reads of a request's body, by a scan of the outermost members. Nothing is decoded.
struct SimulatedRequest: Sendable {
  /// What is between the quotes of `model`.
  private(set) var model = 0..<0
  private(set) var isStreamed = false
  private(set) var wantsUsage = false
  /// `max_completion_tokens`, else `max_tokens`; per choice.
  private(set) var tokenLimit: Int?
  private(set) var choices = 1
  private(set) var seed: UInt64?
  /// The value of `messages` or `prompt`, quotes and brackets included.
  private(set) var prompt = 0..<0

  /// Bytes of the prompt's JSON text over 4, rounded up: how the simulator counts.
  var promptTokens: Int { (prompt.count + 3) / 4 }

  /// - Returns: `nil` when the body is not an object with a model and a prompt.
  init?(_ bytes: Span<UInt8>) {
    var members = JSONMembers(bytes.indices)
    while let (key, value) = members.next(bytes) {
      switch key.count {
      case 5 where Self.equals(bytes, key, "model"):
        guard value.count > 2, bytes[value.lowerBound] == UInt8(ascii: "\"") else { return nil }
        model = value.lowerBound + 1..<value.upperBound - 1
      case 6 where Self.equals(bytes, key, "stream"): isStreamed = Self.equals(bytes, value, "true")
      case 6 where Self.equals(bytes, key, "prompt"): prompt = value
      case 8 where Self.equals(bytes, key, "messages"): prompt = value
      case 1 where Self.equals(bytes, key, "n"): choices = min(max(Self.number(bytes, value) ?? 1, 1), 128)
      case 4 where Self.equals(bytes, key, "seed"):
        seed = Self.number(bytes, value).map(UInt64.init) ?? Self.hash(bytes, value)
      case 10 where Self.equals(bytes, key, "max_tokens"):
        if tokenLimit == nil { tokenLimit = Self.number(bytes, value) }
      case 21 where Self.equals(bytes, key, "max_completion_tokens"):
        tokenLimit = Self.number(bytes, value) ?? tokenLimit
      case 14 where Self.equals(bytes, key, "stream_options"):
        var options = JSONMembers(value)
        while let (option, setting) = options.next(bytes) {
          if Self.equals(bytes, option, "include_usage") { wantsUsage = Self.equals(bytes, setting, "true") }
        }
      default: break
      }
    }
    if tokenLimit == 0 { tokenLimit = nil }
    guard members.isComplete, !model.isEmpty, !prompt.isEmpty else { return nil }
  }

  /// A mark of the conversation: FNV-1a over the prompt's length and last 4 KiB.
  func conversation(_ bytes: Span<UInt8>) -> UInt64 {
    Self.hash(bytes, max(prompt.lowerBound, prompt.upperBound - 4096)..<prompt.upperBound)
      ^ SimulatedText.mix(UInt64(prompt.count))
  }

  private static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in range { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
    return hash
  }

  private static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    guard !range.isEmpty, range.count <= 18 else { return nil }
    var value = 0
    for index in range {
      let digit = bytes[index] &- 48
      guard digit <= 9 else { return nil }
      value = value * 10 + Int(digit)
    }
    return value
  }

  private static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for offset in 0..<range.count where bytes[range.lowerBound + offset] != expected[offset] { return false }
    return true
  }
}
