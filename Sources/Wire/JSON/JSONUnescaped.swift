/// The bytes that a JSON string stands for, one at a time. The string has been checked by ``JSONBytes``; of one that
/// has not, the result is meaningless but harmless.
struct JSONUnescaped: Sequence, IteratorProtocol {
  private let bytes: JSONBytes
  private var position: Int
  private let end: Int
  /// Bytes of an escaped scalar that are still to come, the next one lowest.
  private var pending: UInt32 = 0

  /// - Parameter range: of the string, without its quotes.
  init(_ bytes: JSONBytes, _ range: Range<Int>) {
    self.bytes = bytes
    self.position = range.lowerBound
    self.end = Swift.min(range.upperBound, bytes.count)
  }

  mutating func next() -> UInt8? {
    if pending != 0 {
      let byte = UInt8(truncatingIfNeeded: pending)
      pending >>= 8
      return byte
    }
    guard position < end else { return nil }
    let byte = bytes[position]
    position += 1
    guard byte == UInt8(ascii: "\\"), position < end else { return byte }
    let letter = bytes[position]
    position += 1
    switch letter {
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "f"): return 0x0c
    case UInt8(ascii: "n"): return 0x0a
    case UInt8(ascii: "r"): return 0x0d
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "u"): return scalar()
    default: return letter
    }
  }

  private mutating func codeUnit() -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 where position < end {
      unit = unit << 4 | UInt32(JSONBytes.hexadecimal(bytes[position]) ?? 0)
      position += 1
    }
    return unit
  }

  private mutating func scalar() -> UInt8 {
    var value = codeUnit()
    if value & 0xfc00 == 0xd800 {
      position = Swift.min(position + 2, end)
      value = 0x10000 &+ (value & 0x3ff) << 10 &+ codeUnit() & 0x3ff
    }
    guard let scalar = Unicode.Scalar(value) else { return UInt8(ascii: "?") }
    var first: UInt8?
    var shift: UInt32 = 0
    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter {
      if first == nil {
        first = byte
      } else {
        pending |= UInt32(byte) << shift
        shift += 8
      }
    }
    return first ?? 0
  }

  /// The next byte with the letters of one case; also the two letters outside ASCII that Go's JSON reader takes for
  /// `s` and `k` (U+017F and U+212A).
  mutating func nextFolded() -> UInt8? {
    guard let byte = next() else { return nil }
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): return byte | 0x20
    case 0xc5:
      var ahead = self
      if ahead.next() == 0xbf {
        self = ahead
        return UInt8(ascii: "s")
      }
    case 0xe2:
      var ahead = self
      if ahead.next() == 0x84, ahead.next() == 0xaa {
        self = ahead
        return UInt8(ascii: "k")
      }
    default: break
    }
    return byte
  }

  /// Whether the string stands for exactly this ASCII text.
  func equals(_ text: StaticString) -> Bool {
    var unread = self
    for offset in 0..<text.utf8CodeUnitCount {
      guard unread.next() == text.utf8Start[offset] else { return false }
    }
    return unread.next() == nil
  }

  /// Whether the string stands for this lower-case ASCII text when case is ignored.
  func equalsFolded(_ text: StaticString) -> Bool {
    var unread = self
    for offset in 0..<text.utf8CodeUnitCount {
      guard unread.nextFolded() == text.utf8Start[offset] else { return false }
    }
    return unread.next() == nil
  }
}
