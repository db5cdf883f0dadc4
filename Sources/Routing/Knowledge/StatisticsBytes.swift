/// Writes numbers: whole ones in 7-bit groups, lowest first (as in LEB128), fractions as IEEE 754 bits, lowest byte
/// first.
struct StatisticsWriter {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// Not negative; else 0.
  mutating func put(_ number: Int) { put(UInt64(max(number, 0))) }

  mutating func put(_ number: Double) { putFixed(number.bitPattern) }

  mutating func put(_ number: Float) { putFixed(number.bitPattern) }

  mutating func put(_ text: String) {
    put(text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }

  mutating func putFixed<Number: FixedWidthInteger>(_ number: Number) {
    var rest = number
    for _ in 0..<Number.bitWidth / 8 {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  mutating func putCheck() { putFixed(StatisticsReader.check(bytes[...])) }
}

/// Reads what `StatisticsWriter` wrote, and trusts none of it.
struct StatisticsReader {
  struct Malformed: Error {}

  private var rest: ArraySlice<UInt8>

  /// - Throws: when the last eight bytes are not the check of the ones before.
  init(_ bytes: [UInt8]) throws(Malformed) {
    guard bytes.count >= 8 else { throw Malformed() }
    var tail = Self(rest: bytes.suffix(8))
    rest = bytes.dropLast(8)
    guard try tail.fixed(UInt64.self) == Self.check(rest) else { throw Malformed() }
  }

  private init(rest: ArraySlice<UInt8>) {
    self.rest = rest
  }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number() throws(Malformed) -> UInt64 {
    var number: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard let byte = rest.popFirst() else { throw Malformed() }
      number |= UInt64(byte & 0x7f) << UInt64(shift)
      if byte < 0x80 { return number }
    }
    throw Malformed()
  }

  /// A number that is at most `limit`.
  mutating func number(upTo limit: Int) throws(Malformed) -> Int {
    guard let number = Int(exactly: try number()), number <= limit else { throw Malformed() }
    return number
  }

  /// How many things follow, each of at least one byte.
  mutating func count(upTo limit: Int) throws(Malformed) -> Int {
    try number(upTo: min(limit, rest.count))
  }

  /// A number within `range`.
  mutating func double(_ range: ClosedRange<Double>) throws(Malformed) -> Double {
    let value = Double(bitPattern: try fixed())
    guard range.contains(value) else { throw Malformed() }
    return value
  }

  /// A sample: finite and above 0.
  mutating func sample() throws(Malformed) -> Float {
    let value = Float(bitPattern: try fixed())
    guard value > 0, value.isFinite else { throw Malformed() }
    return value
  }

  mutating func text(upTo limit: Int) throws(Malformed) -> String {
    let count = try count(upTo: limit)
    guard let text = String(validating: rest.prefix(count), as: UTF8.self) else { throw Malformed() }
    rest = rest.dropFirst(count)
    return text
  }

  mutating func fixed<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(Malformed) -> Number {
    guard rest.count >= Number.bitWidth / 8 else { throw Malformed() }
    var number: Number = 0
    for byte in 0..<Number.bitWidth / 8 {
      guard let next = rest.popFirst() else { throw Malformed() }
      number |= Number(truncatingIfNeeded: next) << Number(byte * 8)
    }
    return number
  }

  /// FNV-1a (64 bits): against a file that was cut or damaged, not against anybody.
  static func check(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }
}
