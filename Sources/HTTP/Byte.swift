/// Bytes that HTTP/1.1's grammar names (RFC 9110 section 5, RFC 9112).
enum Byte {
  static let tab = UInt8(ascii: "\t")
  static let lineFeed = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")
  static let colon = UInt8(ascii: ":")
  static let slash = UInt8(ascii: "/")
  static let dot = UInt8(ascii: ".")

  /// A `tchar`: what a method or a field name is made of.
  static func isToken(_ byte: UInt8) -> Bool {
    let bits = byte < 64 ? lowTokens : highTokens
    return byte < 128 && bits >> UInt64(byte & 63) & 1 == 1
  }

  /// One bit for each of `!#$%&'*+-.` and the digits.
  private static let lowTokens: UInt64 = 0x03ff_6cfa_0000_0000
  /// One bit for each letter and each of ``^_`|~``, counted from byte 64.
  private static let highTokens: UInt64 = 0x57ff_ffff_c7ff_fffe

  /// What a field value may hold: printable, blank, or above ASCII.
  static func isFieldContent(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f || byte == tab }

  /// What a host's name is made of: a token's letters, digits and `-._~%`.
  static func isHostName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), dot, UInt8(ascii: "_"), UInt8(ascii: "~"),
      UInt8(ascii: "%"):
      true
    default: false
    }
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  static func lower(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }

  static func hexadecimal(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 55
    default: nil
    }
  }
}

extension Span<UInt8> {
  /// Where a byte stands first at or after `start`.
  func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    var index = start
    while index < count {
      if self[index] == byte { return index }
      index += 1
    }
    return nil
  }

  /// Whether a range equals an ASCII text, letter for letter.
  public func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    for offset in 0..<range.count where self[range.lowerBound + offset] != expected[offset] { return false }
    return true
  }

  /// Whether a range equals a lower-case ASCII text, ignoring the case of letters.
  public func matches(_ range: Range<Int>, _ lowercase: StaticString) -> Bool {
    guard range.count == lowercase.utf8CodeUnitCount else { return false }
    let expected = UnsafeBufferPointer(start: lowercase.utf8Start, count: lowercase.utf8CodeUnitCount)
    for offset in 0..<range.count where Byte.lower(self[range.lowerBound + offset]) != expected[offset] { return false }
    return true
  }

  func sameIgnoringCase(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
    guard left.count == right.count else { return false }
    for offset in 0..<left.count
    where Byte.lower(self[left.lowerBound + offset]) != Byte.lower(self[right.lowerBound + offset]) { return false }
    return true
  }

  /// The comma-separated tokens of a field value.
  func forEachToken(_ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    while start <= range.upperBound {
      let end =
        firstIndex(of: UInt8(ascii: ","), from: start).map { Swift.min($0, range.upperBound) } ?? range.upperBound
      var token = start..<end
      while let first = token.first, Byte.isBlank(self[first]) { token = first + 1..<token.upperBound }
      while let last = token.last, Byte.isBlank(self[last]) { token = token.lowerBound..<last }
      if !token.isEmpty { body(token) }
      start = end + 1
    }
  }
}
