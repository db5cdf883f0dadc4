/// Walks over the members of one JSON object, or the elements of one array, values unread. Lenient: it finds ends, it does
/// not validate.
struct JSONMembers {
  private var at: Int
  private let end: Int
  private var isOpen = false
  /// Whether the closing brace was reached.
  private(set) var isComplete = false

  init(_ range: Range<Int>) {
    at = range.lowerBound
    end = range.upperBound
  }

  /// The next member: what is between the quotes of its key, and its value whole; `nil` at the end or at nonsense.
  mutating func next(_ bytes: Span<UInt8>) -> (key: Range<Int>, value: Range<Int>)? {
    guard enter(bytes, UInt8(ascii: "{"), UInt8(ascii: "}")) else { return nil }
    guard bytes[at] == UInt8(ascii: "\""), let quoted = string(bytes) else { return nil }
    skipBlank(bytes)
    guard at < end, bytes[at] == UInt8(ascii: ":") else { return nil }
    at += 1
    skipBlank(bytes)
    guard let value = value(bytes) else { return nil }
    return (quoted.lowerBound + 1..<quoted.upperBound - 1, value)
  }

  /// The next element of an array, whole; `nil` at the end or at nonsense.
  mutating func nextElement(_ bytes: Span<UInt8>) -> Range<Int>? {
    enter(bytes, UInt8(ascii: "["), UInt8(ascii: "]")) ? value(bytes) : nil
  }

  /// Goes to where the next member or element begins; false at the end or at nonsense.
  private mutating func enter(_ bytes: Span<UInt8>, _ opening: UInt8, _ closing: UInt8) -> Bool {
    skipBlank(bytes)
    guard at < end, !isComplete else { return false }
    if !isOpen {
      guard bytes[at] == opening else { return false }
      isOpen = true
      at += 1
    } else if bytes[at] == UInt8(ascii: ",") {
      at += 1
    }
    skipBlank(bytes)
    guard at < end else { return false }
    isComplete = bytes[at] == closing
    return !isComplete
  }

  private mutating func skipBlank(_ bytes: Span<UInt8>) {
    while at < end, bytes[at] == 0x20 || bytes[at] == 0x0a || bytes[at] == 0x0d || bytes[at] == 0x09 { at += 1 }
  }

  /// A string from its opening quote on, both quotes included.
  private mutating func string(_ bytes: Span<UInt8>) -> Range<Int>? {
    let start = at
    at += 1
    while at < end {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\"") {
        at += 1
        return start..<at
      }
      at += byte == UInt8(ascii: "\\") ? 2 : 1
    }
    return nil
  }

  private mutating func value(_ bytes: Span<UInt8>) -> Range<Int>? {
    let start = at
    var depth = 0
    while at < end {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        guard string(bytes) != nil else { return nil }
        if depth == 0 { return start..<at }
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return at > start ? start..<at : nil }
        depth -= 1
        if depth == 0 {
          at += 1
          return start..<at
        }
      case UInt8(ascii: ","), 0x20, 0x0a, 0x0d, 0x09:
        if depth == 0 { return at > start ? start..<at : nil }
      default:
        break
      }
      at += 1
    }
    return nil
  }
}
