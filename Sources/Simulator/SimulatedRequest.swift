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

  /// Whether the last of `messages` is an assistant's, and what is between the quotes of its content, if that is a text.
  private(set) var endsInAssistant = false
  private(set) var prefill: Range<Int>?
  /// That last message with the comma before it: the conversation is what stands without it.
  private var prefilling = 0..<0
  private(set) var continuesFinalMessage = false
  private(set) var addsGenerationPrompt = false

  /// Bytes of the prompt's JSON text over 4, rounded up: how the simulator counts.
  var promptTokens: Int { (prompt.count + 3) / 4 }

  /// - Returns: `nil` when the body is not an object with a model and a prompt.
  init?(_ bytes: Span<UInt8>) {
    var members = JSONMembers(bytes.indices)
    while let (key, value) = members.next(bytes) {
      if Self.equals(bytes, key, "model") {
        guard value.count > 2, bytes[value.lowerBound] == UInt8(ascii: "\"") else { return nil }
        model = value.lowerBound + 1..<value.upperBound - 1
      } else if Self.equals(bytes, key, "stream") {
        isStreamed = Self.equals(bytes, value, "true")
      } else if Self.equals(bytes, key, "prompt") || Self.equals(bytes, key, "messages") {
        prompt = value
      } else if Self.equals(bytes, key, "continue_final_message") {
        continuesFinalMessage = Self.equals(bytes, value, "true")
      } else if Self.equals(bytes, key, "add_generation_prompt") {
        addsGenerationPrompt = Self.equals(bytes, value, "true")
      } else if Self.equals(bytes, key, "n") {
        choices = min(max(Self.number(bytes, value) ?? 1, 1), 128)
      } else if Self.equals(bytes, key, "seed") {
        seed = Self.number(bytes, value).map(UInt64.init) ?? Self.hash(bytes, value)
      } else if Self.equals(bytes, key, "max_tokens") {
        if tokenLimit == nil { tokenLimit = Self.number(bytes, value) }
      } else if Self.equals(bytes, key, "max_completion_tokens") {
        tokenLimit = Self.number(bytes, value) ?? tokenLimit
      } else if Self.equals(bytes, key, "stream_options") {
        var options = JSONMembers(value)
        while let (option, setting) = options.next(bytes) {
          if Self.equals(bytes, option, "include_usage") { wantsUsage = Self.equals(bytes, setting, "true") }
        }
      }
    }
    if tokenLimit == 0 { tokenLimit = nil }
    guard members.isComplete, !model.isEmpty, !prompt.isEmpty else { return nil }
    readLastMessage(bytes)
  }

  private mutating func readLastMessage(_ bytes: Span<UInt8>) {
    var messages = JSONMembers(prompt)
    var (before, last) = (0..<0, 0..<0)
    while let element = messages.nextElement(bytes) { (before, last) = (last, element) }
    guard messages.isComplete, !last.isEmpty else { return }
    var members = JSONMembers(last)
    var content: Range<Int>?
    while let (key, value) = members.next(bytes) {
      if Self.equals(bytes, key, "role") { endsInAssistant = Self.equals(bytes, value, "\"assistant\"") }
      if Self.equals(bytes, key, "content"), bytes[value.lowerBound] == UInt8(ascii: "\"") {
        content = value.lowerBound + 1..<value.upperBound - 1
      }
    }
    guard endsInAssistant, let content else { return }
    prefill = content
    prefilling = (before.isEmpty ? last.lowerBound : before.upperBound)..<last.upperBound
  }

  /// A mark of the conversation: FNV-1a over the prompt's length and last 4 KiB, without what an assistant is to go on
  /// with.
  ///
  /// - Parameter beginning: a part of the prompt that is the answer's beginning and not the conversation's.
  func conversation(_ bytes: Span<UInt8>, without beginning: Range<Int>? = nil) -> UInt64 {
    let left = beginning ?? prefilling
    let count = prompt.count - left.count
    var hash = Self.hashStart
    for place in max(0, count - 4096)..<count {
      let index = prompt.lowerBound + place
      hash = Self.hash(hash, bytes[!left.isEmpty && index >= left.lowerBound ? index + left.count : index])
    }
    return hash ^ SimulatedText.mix(UInt64(count))
  }

  private static let hashStart: UInt64 = 0xcbf2_9ce4_8422_2325
  private static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

  private static func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
    range.reduce(hashStart) { hash($0, bytes[$1]) }
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

  /// Whether a text is this one, once its escapes are read: `"mod\u0065l"` is `model`.
  private static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString) -> Bool {
    var at = range.lowerBound
    for expected in UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount) {
      guard at < range.upperBound else { return false }
      if bytes[at] == expected {
        at += 1
      } else if let escaped = escapedByte(bytes, at..<range.upperBound), escaped == expected {
        at += 6
      } else {
        return false
      }
    }
    return at == range.upperBound
  }

  /// The ASCII character that `\u00…` stands for, at the start of the range.
  private static func escapedByte(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt8? {
    let at = range.lowerBound
    guard range.count >= 6, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") else { return nil }
    var value = 0
    for index in at + 2..<at + 6 {
      switch bytes[index] {
      case 48...57: value = value << 4 | Int(bytes[index] - 48)
      case 65...70, 97...102: value = value << 4 | Int((bytes[index] | 0x20) - 87)
      default: return nil
      }
    }
    return value < 128 ? UInt8(value) : nil
  }
}
