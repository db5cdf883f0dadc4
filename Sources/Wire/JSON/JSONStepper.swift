/// Walks over a JSON text without recursion and checks its grammar; stops where the caller wants to look, and where
/// the bytes end, and goes on from there when more have come.
///
/// Every `next(in:)` of one walk must be given the same bytes, perhaps with more behind them.
struct JSONStepper {
  enum Event {
    /// All bytes are read; the text may go on.
    case needsMore
    /// A key at the observed depth; the range is without its quotes.
    case key(Range<Int>, isEscaped: Bool)
    /// A value at the observed depth has ended.
    case value(Range<Int>, JSONKind)
  }

  private enum Mode: UInt8 {
    case value, firstElement, firstKey, key, colon, comma, inValueString, inKey, inNumber, complete
  }

  private(set) var position: Int
  private let depthLimit: Int
  private let observedDepth: Int
  private var mode = Mode.value
  private var depth = 0
  /// One bit for each open bracket, the innermost lowest: 1 is an object.
  private var objects: UInt128 = 0
  private var tokenStart = 0
  private var valueStart = 0
  private var valueKind = JSONKind.null
  private var number = JSONBytes.NumberPart.start
  private var isEscaped = false

  /// - Parameters:
  ///   - position: where the text begins.
  ///   - depthLimit: how many brackets may be open at once, at most 128.
  ///   - observedDepth: how many brackets are open around the keys and values that `next` reports.
  init(position: Int = 0, depthLimit: Int, observedDepth: Int) {
    self.position = position
    self.depthLimit = min(depthLimit, UInt128.bitWidth)
    self.observedDepth = observedDepth
  }

  /// Whether the value has ended; only blank may follow.
  var isComplete: Bool { mode == .complete }

  mutating func next(in bytes: JSONBytes) throws(JSONFault) -> Event {
    switch mode {
    case .inValueString:
      guard try readString(bytes, from: position, resuming: .inValueString) else { return .needsMore }
      if endValue() { return .value(valueStart..<position, valueKind) }
    case .inKey:
      guard try readString(bytes, from: position, resuming: .inKey) else { return .needsMore }
      mode = .colon
      if depth == observedDepth { return .key(tokenStart + 1..<position - 1, isEscaped: isEscaped) }
    case .inNumber:
      guard try readNumber(bytes, from: position) else { return .needsMore }
      if endValue() { return .value(valueStart..<position, valueKind) }
    default: break
    }
    while true {
      position = bytes.blankEnd(from: position)
      guard position < bytes.count else { return .needsMore }
      let byte = bytes[position]
      switch mode {
      case .comma:
        if byte == UInt8(ascii: ",") {
          position += 1
          mode = objects & 1 == 1 ? .key : .value
        } else {
          guard byte == (objects & 1 == 1 ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
            throw JSONFault(.expectedComma, at: position)
          }
          if close() { return .value(valueStart..<position, valueKind) }
        }
      case .firstKey where byte == UInt8(ascii: "}"), .firstElement where byte == UInt8(ascii: "]"):
        if close() { return .value(valueStart..<position, valueKind) }
      case .firstKey, .key:
        guard byte == UInt8(ascii: "\"") else { throw JSONFault(.expectedKey, at: position) }
        tokenStart = position
        isEscaped = false
        guard try readString(bytes, from: position + 1, resuming: .inKey) else { return .needsMore }
        mode = .colon
        if depth == observedDepth { return .key(tokenStart + 1..<position - 1, isEscaped: isEscaped) }
      case .colon:
        guard byte == UInt8(ascii: ":") else { throw JSONFault(.expectedColon, at: position) }
        position += 1
        mode = .value
      case .complete:
        throw JSONFault(.trailingBytes, at: position)
      default:
        guard try readValue(bytes, byte) else { return .needsMore }
        if mode == .comma || mode == .complete, depth == observedDepth {
          return .value(valueStart..<position, valueKind)
        }
      }
    }
  }

  /// Reads a whole scalar or an opening bracket; false when the bytes end first.
  @inline(__always)
  private mutating func readValue(_ bytes: JSONBytes, _ byte: UInt8) throws(JSONFault) -> Bool {
    if depth == observedDepth { valueStart = position }
    switch byte {
    case UInt8(ascii: "\""):
      if depth == observedDepth { valueKind = .string }
      guard try readString(bytes, from: position + 1, resuming: .inValueString) else { return false }
      _ = endValue()
    case UInt8(ascii: "{"):
      try open(.object)
    case UInt8(ascii: "["):
      try open(.array)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      if depth == observedDepth { valueKind = .number }
      number = .start
      guard try readNumber(bytes, from: position) else { return false }
      _ = endValue()
    default:
      let (kind, end): (JSONKind, Int)
      do {
        (kind, end) = try bytes.literal(at: position)
      } catch {
        if error.reason == .unexpectedEnd { return false }
        throw error
      }
      if depth == observedDepth { valueKind = kind }
      position = end
      _ = endValue()
    }
    return true
  }

  /// Goes on behind a value; true when the caller wants to see it.
  @inline(__always)
  private mutating func endValue() -> Bool {
    mode = depth == 0 ? .complete : .comma
    return depth == observedDepth
  }

  private mutating func open(_ kind: JSONKind) throws(JSONFault) {
    guard depth < depthLimit else { throw JSONFault(.depthExceeded, at: position) }
    if depth == observedDepth { valueKind = kind }
    objects = objects << 1 | (kind == .object ? 1 : 0)
    depth += 1
    position += 1
    mode = kind == .object ? .firstKey : .firstElement
  }

  private mutating func close() -> Bool {
    objects >>= 1
    depth -= 1
    position += 1
    return endValue()
  }

  @inline(__always)
  private mutating func readString(
    _ bytes: JSONBytes, from first: Int, resuming: Mode
  ) throws(JSONFault) -> Bool {
    do {
      position = try bytes.stringEnd(from: first, isEscaped: &isEscaped)
      return true
    } catch {
      guard error.reason == .unexpectedEnd else { throw error }
      position = error.offset
      mode = resuming
      return false
    }
  }

  private mutating func readNumber(_ bytes: JSONBytes, from first: Int) throws(JSONFault) -> Bool {
    position = bytes.numberEnd(from: first, part: &number)
    guard position < bytes.count else {
      mode = .inNumber
      return false
    }
    guard number.isEnd else { throw JSONFault(.invalidNumber, at: position) }
    return true
  }
}
