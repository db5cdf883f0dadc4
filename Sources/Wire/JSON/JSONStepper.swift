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
    /// A key below the observed depth that `watch` lets through; `depth` says how far below.
    case innerKey(Range<Int>, isEscaped: Bool)
    /// A value inside the elements, as `watchedValues` asks: a scalar that has ended, or the bracket of one that begins.
    /// `innerDepth` says how many brackets are open around it.
    case innerValue(Range<Int>, JSONKind)
    /// A value one level below the observed depth has ended.
    case element(Range<Int>)
  }

  /// Which values inside the elements are reported.
  enum WatchedValues: UInt8 { case none, next, all }

  private enum Mode: UInt8 {
    case value, firstElement, firstKey, key, colon, comma, inValueString, inKey, inNumber, complete
  }

  private(set) var position: Int
  private let depthLimit: Int
  private let observedDepth: Int
  /// Which keys below the observed depth are reported. The caller sets it between two events, as the two below.
  var watch = KeyWatch.none
  var watchedValues = WatchedValues.none
  var watchesElements = false
  private var mode = Mode.value
  private(set) var depth = 0
  private(set) var innerDepth = 0
  /// One bit for each open bracket, the innermost lowest: 1 is an object.
  private var objects: UInt128 = 0
  private var tokenStart = 0
  private var valueStart = 0
  private var valueKind = JSONKind.null
  private var innerKind = JSONKind.null
  private var elementStart = 0
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
      endValue()
      if let event = scalarEvent() { return event }
    case .inKey:
      guard try readString(bytes, from: position, resuming: .inKey) else { return .needsMore }
      mode = .colon
      if let event = keyEvent(bytes) { return event }
    case .inNumber:
      guard try readNumber(bytes, from: position) else { return .needsMore }
      endValue()
      if let event = scalarEvent() { return event }
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
          close()
          if let event = endEvent() { return event }
        }
      case .firstKey where byte == UInt8(ascii: "}"), .firstElement where byte == UInt8(ascii: "]"):
        close()
        if let event = endEvent() { return event }
      case .firstKey, .key:
        guard byte == UInt8(ascii: "\"") else { throw JSONFault(.expectedKey, at: position) }
        tokenStart = position
        isEscaped = false
        guard try readString(bytes, from: position + 1, resuming: .inKey) else { return .needsMore }
        mode = .colon
        if let event = keyEvent(bytes) { return event }
      case .colon:
        guard byte == UInt8(ascii: ":") else { throw JSONFault(.expectedColon, at: position) }
        position += 1
        mode = .value
      case .complete:
        throw JSONFault(.trailingBytes, at: position)
      default:
        guard try readValue(bytes, byte) else { return .needsMore }
        if mode == .comma || mode == .complete {
          if let event = scalarEvent() { return event }
        } else if watchedValues != .none, depth > observedDepth + 2 {
          return innerValue(position - 1..<position, depth: depth - 1)
        }
      }
    }
  }

  /// Reads a whole scalar or an opening bracket; false when the bytes end first.
  @inline(__always)
  private mutating func readValue(_ bytes: JSONBytes, _ byte: UInt8) throws(JSONFault) -> Bool {
    if depth == observedDepth { valueStart = position }
    if depth == observedDepth + 1 { elementStart = position }
    switch byte {
    case UInt8(ascii: "\""):
      if depth == observedDepth { valueKind = .string }
      innerKind = .string
      tokenStart = position
      guard try readString(bytes, from: position + 1, resuming: .inValueString) else { return false }
      endValue()
    case UInt8(ascii: "{"):
      try open(.object)
    case UInt8(ascii: "["):
      try open(.array)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      if depth == observedDepth { valueKind = .number }
      innerKind = .number
      tokenStart = position
      number = .start
      guard try readNumber(bytes, from: position) else { return false }
      endValue()
    default:
      let (kind, end): (JSONKind, Int)
      do {
        (kind, end) = try bytes.literal(at: position)
      } catch {
        if error.reason == .unexpectedEnd { return false }
        throw error
      }
      if depth == observedDepth { valueKind = kind }
      innerKind = kind
      tokenStart = position
      position = end
      endValue()
    }
    return true
  }

  @inline(__always)
  private mutating func endValue() { mode = depth == 0 ? .complete : .comma }

  /// What is to be said of a value that has ended.
  @inline(__always)
  private func endEvent() -> Event? {
    if depth == observedDepth { return .value(valueStart..<position, valueKind) }
    if watchesElements, depth == observedDepth + 1 { return .element(elementStart..<position) }
    return nil
  }

  /// What is to be said of a string, number or literal that has ended.
  @inline(__always)
  private mutating func scalarEvent() -> Event? {
    if watchedValues != .none, depth > observedDepth + 1 { return innerValue(tokenStart..<position, depth: depth) }
    return endEvent()
  }

  private mutating func innerValue(_ range: Range<Int>, depth: Int) -> Event {
    if watchedValues == .next { watchedValues = .none }
    innerDepth = depth
    return .innerValue(range, innerKind)
  }

  @inline(__always)
  private func keyEvent(_ bytes: JSONBytes) -> Event? {
    let key = tokenStart + 1..<position - 1
    if depth == observedDepth { return .key(key, isEscaped: isEscaped) }
    if watch.isOff { return nil }
    return isEscaped || watch.takes(bytes, key) ? .innerKey(key, isEscaped: isEscaped) : nil
  }

  private mutating func open(_ kind: JSONKind) throws(JSONFault) {
    guard depth < depthLimit else { throw JSONFault(.depthExceeded, at: position) }
    if depth == observedDepth { valueKind = kind }
    innerKind = kind
    objects = objects << 1 | (kind == .object ? 1 : 0)
    depth += 1
    position += 1
    mode = kind == .object ? .firstKey : .firstElement
  }

  private mutating func close() {
    objects >>= 1
    depth -= 1
    position += 1
    endValue()
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
