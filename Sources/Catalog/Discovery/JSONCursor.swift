/// Reads JSON that may be anything, value by value. Nothing here can trap, recurses deeper than `depthLimit`, or keeps
/// more of one value than `valueLimit` parts.
struct JSONCursor {
  /// The text stops being JSON at this offset.
  struct Fault: Error {
    let offset: Int
  }

  /// Brackets open at once, those around the value included.
  static let depthLimit = 64
  /// Strings and numbers and brackets in one value.
  static let valueLimit = 20_000
  /// Bytes of a string or a number that is kept; longer ones are passed over.
  static let textLimit = 4_096

  private let bytes: [UInt8]
  private let end: Int
  var position: Int
  /// Whether `read` has passed over something for its depth, or for how much there was.
  private(set) var isTooDeep = false
  private(set) var isTooLarge = false
  private var valuesLeft = 0

  /// - Parameter end: where reading stops, at most the number of bytes.
  init(_ bytes: [UInt8], end: Int, position: Int = 0) {
    self.bytes = bytes
    self.end = min(end, bytes.count)
    self.position = max(position, 0)
  }

  /// The next byte that is not blank; it stays the next one.
  mutating func peek() -> UInt8? {
    while position < end {
      switch bytes[position] {
      case 0x20, 0x0a, 0x0d, 0x09: position += 1
      default: return bytes[position]
      }
    }
    return nil
  }

  /// Takes this byte when it is the next one.
  mutating func take(_ byte: Character) -> Bool {
    guard let next = peek(), next == byte.asciiValue else { return false }
    position += 1
    return true
  }

  /// - Parameter depth: how many brackets are open around the value.
  mutating func read(depth: Int) throws(Fault) -> JSONValue {
    isTooDeep = false
    isTooLarge = false
    valuesLeft = Self.valueLimit
    return try value(depth: depth)
  }

  private mutating func value(depth: Int) throws(Fault) -> JSONValue {
    guard let first = peek() else { throw Fault(offset: position) }
    valuesLeft -= 1
    if valuesLeft < 0 {
      isTooLarge = true
      try skip()
      return .refused
    }
    switch first {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      guard depth < Self.depthLimit else {
        isTooDeep = true
        try skip()
        return .refused
      }
      position += 1
      return first == UInt8(ascii: "{") ? try object(depth: depth + 1) : try array(depth: depth + 1)
    case UInt8(ascii: "\""): return try string()
    default: return try word()
    }
  }

  private mutating func array(depth: Int) throws(Fault) -> JSONValue {
    var elements: [JSONValue] = []
    if take("]") { return .array(elements) }
    while true {
      let element = try value(depth: depth)
      // What is passed over is not kept either.
      if !isTooLarge { elements.append(element) }
      if take("]") { return .array(elements) }
      guard take(",") else { throw Fault(offset: position) }
    }
  }

  private mutating func object(depth: Int) throws(Fault) -> JSONValue {
    var members: [JSONValue.Member] = []
    if take("}") { return .object(members) }
    while true {
      guard peek() == UInt8(ascii: "\"") else { throw Fault(offset: position) }
      let key = try string()
      guard take(":") else { throw Fault(offset: position) }
      let value = try value(depth: depth)
      if !isTooLarge, case .string(let key) = key { members.append(JSONValue.Member(key: key, value: value)) }
      if take("}") { return .object(members) }
      guard take(",") else { throw Fault(offset: position) }
    }
  }

  private mutating func string() throws(Fault) -> JSONValue {
    let (range, isEscaped) = try skipString()
    guard range.count <= Self.textLimit else { return .refused }
    let text =
      isEscaped
      ? unescaped(range).flatMap { String(validating: $0, as: UTF8.self) }
      : String(validating: bytes[range], as: UTF8.self)
    return text.map { .string($0) } ?? .refused
  }

  /// A literal or a number, or what stands in its place.
  private mutating func word() throws(Fault) -> JSONValue {
    let range = try skipWord()
    switch bytes[range.lowerBound] {
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      guard range.count <= Self.textLimit, let text = String(validating: bytes[range], as: UTF8.self) else {
        return .refused
      }
      return .number(text)
    default:
      if bytes[range].elementsEqual("true".utf8) { return .bool(true) }
      if bytes[range].elementsEqual("false".utf8) { return .bool(false) }
      return bytes[range].elementsEqual("null".utf8) ? .null : .refused
    }
  }

  /// Passes over one value, however deep, by its brackets and strings alone.
  mutating func skip() throws(Fault) {
    var open = 0
    repeat {
      guard let byte = peek() else { throw Fault(offset: position) }
      switch byte {
      case UInt8(ascii: "\""): _ = try skipString()
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        open += 1
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard open > 0 else { throw Fault(offset: position) }
        open -= 1
        position += 1
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        guard open > 0 else { throw Fault(offset: position) }
        position += 1
      default: _ = try skipWord()
      }
    } while open > 0
  }

  /// Where the values of an object's members of these names begin, of several the last; as far as the object can be
  /// read.
  mutating func offsets(of names: Set<String>) -> [String: Int] {
    var found: [String: Int] = [:]
    guard take("{") else { return found }
    while peek() == UInt8(ascii: "\""), let key = try? string(), take(":"), peek() != nil {
      if case .string(let name) = key, names.contains(name) { found[name] = position }
      guard (try? skip()) != nil, take(",") else { break }
    }
    return found
  }

  /// The bytes of the next string without its quotes, and whether there is a backslash among them.
  private mutating func skipString() throws(Fault) -> (Range<Int>, isEscaped: Bool) {
    let first = position + 1
    var isEscaped = false
    var index = first
    while index < end {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        position = index + 1
        return (first..<index, isEscaped)
      case UInt8(ascii: "\\"):
        isEscaped = true
        index += 2
      default: index += 1
      }
    }
    position = end
    throw Fault(offset: end)
  }

  private mutating func skipWord() throws(Fault) -> Range<Int> {
    let first = position
    while position < end {
      switch bytes[position] {
      case UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "["),
        UInt8(ascii: "{"), UInt8(ascii: "\""), 0...0x20:
        guard position > first else { throw Fault(offset: position) }
        return first..<position
      default: position += 1
      }
    }
    guard position > first else { throw Fault(offset: position) }
    return first..<position
  }

  private func unescaped(_ range: Range<Int>) -> [UInt8]? {
    var text: [UInt8] = []
    text.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = bytes[index]
      index += 1
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      guard index < range.upperBound else { return nil }
      let letter = bytes[index]
      index += 1
      switch letter {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0c)
      case UInt8(ascii: "n"): text.append(0x0a)
      case UInt8(ascii: "r"): text.append(0x0d)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "u"):
        guard let scalar = escapedScalar(&index, range.upperBound) else { return nil }
        text.append(contentsOf: String(scalar).utf8)
      default: return nil
      }
    }
    return text
  }

  /// The scalar of `\uXXXX`, or of two of them.
  private func escapedScalar(_ index: inout Int, _ limit: Int) -> Character? {
    guard let high = codeUnit(&index, limit) else { return nil }
    guard high & 0xfc00 == 0xd800 else { return Unicode.Scalar(high).map { Character($0) } }
    guard index + 1 < limit, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
      return nil
    }
    index += 2
    guard let low = codeUnit(&index, limit), low & 0xfc00 == 0xdc00 else { return nil }
    return Unicode.Scalar(0x10000 + (high & 0x3ff) << 10 + (low & 0x3ff)).map { Character($0) }
  }

  private func codeUnit(_ index: inout Int, _ limit: Int) -> UInt32? {
    guard index + 4 <= limit else { return nil }
    var unit: UInt32 = 0
    for byte in bytes[index..<index + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else { return nil }
      unit = unit << 4 | UInt32(digit)
    }
    index += 4
    return unit
  }
}
