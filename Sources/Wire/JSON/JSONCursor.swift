/// Reads a whole JSON text member by member, for a caller that knows which shape it looks for.
struct JSONCursor {
  /// A key without its quotes.
  struct Key {
    let range: Range<Int>
    let isEscaped: Bool
  }

  let bytes: JSONBytes
  private(set) var position: Int
  private let depthLimit: Int
  private var depth = 0

  init(_ bytes: JSONBytes, position: Int = 0, depthLimit: Int) {
    self.bytes = bytes
    self.position = position
    self.depthLimit = depthLimit
  }

  /// The next byte that is not blank; it is not consumed.
  @inline(__always)
  mutating func peek() throws(JSONFault) -> UInt8 {
    position = bytes.blankEnd(from: position)
    guard position < bytes.count else { throw JSONFault(.unexpectedEnd, at: position) }
    return bytes[position]
  }

  /// Enters an object; false when it is empty, and then it is already left.
  mutating func openObject() throws(JSONFault) -> Bool {
    try open(UInt8(ascii: "{"), closing: UInt8(ascii: "}"))
  }

  /// Enters an array; false when it is empty, and then it is already left.
  mutating func openArray() throws(JSONFault) -> Bool {
    try open(UInt8(ascii: "["), closing: UInt8(ascii: "]"))
  }

  @inline(__always)
  private mutating func open(_ opening: UInt8, closing: UInt8) throws(JSONFault) -> Bool {
    guard try peek() == opening else { throw JSONFault(.expectedValue, at: position) }
    guard depth < depthLimit else { throw JSONFault(.depthExceeded, at: position) }
    position += 1
    if try peek() == closing {
      position += 1
      return false
    }
    depth += 1
    return true
  }

  /// Behind a member: true when another follows; otherwise the object is left.
  @inline(__always)
  mutating func hasNextMember() throws(JSONFault) -> Bool { try hasNext(closing: UInt8(ascii: "}")) }

  /// Behind an element: true when another follows; otherwise the array is left.
  @inline(__always)
  mutating func hasNextElement() throws(JSONFault) -> Bool { try hasNext(closing: UInt8(ascii: "]")) }

  @inline(__always)
  private mutating func hasNext(closing: UInt8) throws(JSONFault) -> Bool {
    let byte = try peek()
    guard byte == UInt8(ascii: ",") || byte == closing else { throw JSONFault(.expectedComma, at: position) }
    position += 1
    if byte == closing { depth -= 1 }
    return byte != closing
  }

  /// Reads a key and its colon.
  @inline(__always)
  mutating func key() throws(JSONFault) -> Key {
    guard try peek() == UInt8(ascii: "\"") else { throw JSONFault(.expectedKey, at: position) }
    let first = position + 1
    var isEscaped = false
    position = try bytes.stringEnd(from: first, isEscaped: &isEscaped)
    let key = Key(range: first..<position - 1, isEscaped: isEscaped)
    guard try peek() == UInt8(ascii: ":") else { throw JSONFault(.expectedColon, at: position) }
    position += 1
    return key
  }

  /// Reads over any value.
  mutating func value() throws(JSONFault) -> (kind: JSONKind, range: Range<Int>) {
    let byte = try peek()
    let first = position
    switch byte {
    case UInt8(ascii: "\""):
      var isEscaped = false
      position = try bytes.stringEnd(from: first + 1, isEscaped: &isEscaped)
      return (.string, first..<position)
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      var stepper = JSONStepper(position: first, depthLimit: depthLimit - depth, observedDepth: 0)
      guard case .value(let range, let kind) = try stepper.next(in: bytes) else {
        throw JSONFault(.unexpectedEnd, at: bytes.count)
      }
      position = range.upperBound
      return (kind, range)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      var part = JSONBytes.NumberPart.start
      position = bytes.numberEnd(from: first, part: &part)
      guard part.isEnd else { throw JSONFault(.invalidNumber, at: position) }
      return (.number, first..<position)
    default:
      let (kind, end) = try bytes.literal(at: first)
      position = end
      return (kind, first..<end)
    }
  }

  /// Makes sure that only blank follows.
  mutating func finish() throws(JSONFault) {
    position = bytes.blankEnd(from: position)
    guard position == bytes.count else { throw JSONFault(.trailingBytes, at: position) }
  }

  /// Whether a key is, unescaped, exactly this ASCII text.
  @inline(__always)
  func matches(_ key: Key, _ text: StaticString) -> Bool {
    key.isEscaped ? JSONUnescaped(bytes, key.range).equals(text) : bytes.equals(key.range, text)
  }

  /// Whether a value that has been read over says something: not null, and not an empty string, array or object.
  func isFilled(_ value: (kind: JSONKind, range: Range<Int>)) -> Bool {
    switch value.kind {
    case .null: false
    case .string: value.range.count > 2
    case .array, .object: bytes.blankEnd(from: value.range.lowerBound + 1) < value.range.upperBound - 1
    case .number, .true, .false: true
    }
  }
}
