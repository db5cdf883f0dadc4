import CScan
import Glibc

/// Untrusted bytes that are read as JSON: the tokens of RFC 8259, each found without copying.
///
/// This is the one place of the module that reads memory by address. It borrows a `Span` for the length of one call
/// (see ``Swift/Span/withJSONBytes(_:)``), every read is behind a comparison with `count`, and what it hands out are
/// offsets.
struct JSONBytes {
  let start: UnsafePointer<UInt8>
  let count: Int

  @inline(__always)
  subscript(index: Int) -> UInt8 {
    assert(index >= 0 && index < count)
    return start[index]
  }

  /// Where the blank that begins at `first` ends.
  @inline(__always)
  func blankEnd(from first: Int) -> Int {
    var index = first
    while index < count {
      let byte = self[index]
      guard byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 else { return index }
      index += 1
    }
    return index
  }

  // MARK: strings

  /// Marks, in each of eight bytes, the high bit where a string cannot just run on: a quote, a backslash, a control
  /// character, or a byte above ASCII. Marks above the lowest may be false; the lowest is right.
  @inline(__always)
  private static func stops(in word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quote = word ^ (ones &* 0x22)
    let backslash = word ^ (ones &* 0x5c)
    let quoted = (quote &- ones) & ~quote
    let escaped = (backslash &- ones) & ~backslash
    let control = (word &- (ones &* 0x20)) & ~word
    return (quoted | escaped | control | word) & (ones &* 0x80)
  }

  @inline(__always)
  func word(at index: Int) -> UInt64 {
    assert(index >= 0 && index + 8 <= count)
    return UInt64(littleEndian: UnsafeRawPointer(start + index).loadUnaligned(as: UInt64.self))
  }

  /// The offset behind the quote that closes a string.
  ///
  /// - Parameters:
  ///   - first: an offset inside the string, at the start of a character.
  ///   - isEscaped: set when the string holds an escape.
  func stringEnd(from first: Int, isEscaped: inout Bool) throws(JSONFault) -> Int {
    var index = first
    // Most strings are short: their end is found in a few words.
    var words = 4
    while true {
      while words > 0, index &+ 8 <= count {
        let stops = Self.stops(in: word(at: index))
        if stops != 0 {
          index &+= stops.trailingZeroBitCount >> 3
          break
        }
        index &+= 8
        words &-= 1
      }
      if words == 0 {
        var passed: CInt = 0
        index = pm_string_stop(start, index, count, &passed)
        if passed != 0 { isEscaped = true }
      }
      guard index < count else { throw JSONFault(.unexpectedEnd, at: index) }
      let byte = self[index]
      if byte == 0x22 { return index + 1 }
      if byte == 0x5c {
        isEscaped = true
        index = try escapeEnd(from: index)
        // Where one escape is, more follow.
        words = 0
      } else if byte >= 0x80 {
        index = runEnd(from: index)
        if index < count, self[index] >= 0x80 { index = try sequenceEnd(from: index) }
        words = 4
      } else if byte < 0x20 {
        throw JSONFault(.controlCharacter, at: index)
      } else {
        index += 1
      }
    }
  }

  /// The offset behind a run of well-formed UTF-8 sequences of two and three bytes, looking at four bytes at a time;
  /// what is at that offset has not been judged.
  private func runEnd(from first: Int) -> Int {
    var index = first
    while index &+ 4 <= count {
      let bytes = UInt32(littleEndian: UnsafeRawPointer(start + index).loadUnaligned(as: UInt32.self))
      if bytes & 0x00c0_c0f0 == 0x0080_80e0 {
        // E0 must be followed by at least A0, and ED by less: else it is overlong, or half of a surrogate pair.
        guard bytes & 0x200f != 0, bytes & 0x200f != 0x200d else { break }
        index &+= 3
      } else if bytes & 0x0000_c0e0 == 0x0000_80c0, bytes & 0x1e != 0 {
        index &+= 2
      } else {
        break
      }
    }
    return index
  }

  /// The offset behind the escape whose backslash stands at `first`; a surrogate pair is one escape.
  @inline(__always)
  private func escapeEnd(from first: Int) throws(JSONFault) -> Int {
    guard first + 1 < count else { throw JSONFault(.unexpectedEnd, at: first) }
    switch self[first + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return first + 2
    case UInt8(ascii: "u"): return try unicodeEscapeEnd(from: first)
    default: throw JSONFault(.invalidEscape, at: first)
    }
  }

  private func unicodeEscapeEnd(from first: Int) throws(JSONFault) -> Int {
    let unit = try codeUnit(at: first + 2, escape: first)
    if unit & 0xf800 != 0xd800 { return first + 6 }
    guard unit < 0xdc00 else { throw JSONFault(.loneSurrogate, at: first) }
    guard first + 6 < count else { throw JSONFault(.unexpectedEnd, at: first) }
    guard self[first + 6] == UInt8(ascii: "\\") else { throw JSONFault(.loneSurrogate, at: first) }
    guard first + 7 < count else { throw JSONFault(.unexpectedEnd, at: first) }
    guard self[first + 7] == UInt8(ascii: "u") else { throw JSONFault(.loneSurrogate, at: first) }
    let second = try codeUnit(at: first + 8, escape: first)
    guard second & 0xfc00 == 0xdc00 else { throw JSONFault(.loneSurrogate, at: first) }
    return first + 12
  }

  private func codeUnit(at first: Int, escape: Int) throws(JSONFault) -> UInt16 {
    var unit: UInt16 = 0
    for index in first..<first + 4 {
      guard index < count else { throw JSONFault(.unexpectedEnd, at: escape) }
      guard let digit = Self.hexadecimal(self[index]) else { throw JSONFault(.invalidEscape, at: escape) }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }

  static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The offset behind one UTF-8 sequence of two to four bytes (RFC 3629 section 4).
  private func sequenceEnd(from first: Int) throws(JSONFault) -> Int {
    let length: Int
    var allowed: ClosedRange<UInt8> = 0x80...0xbf
    switch self[first] {
    case 0xc2...0xdf: length = 2
    case 0xe0: (length, allowed) = (3, 0xa0...0xbf)
    case 0xed: (length, allowed) = (3, 0x80...0x9f)
    case 0xe1...0xef: length = 3
    case 0xf0: (length, allowed) = (4, 0x90...0xbf)
    case 0xf1...0xf3: length = 4
    case 0xf4: (length, allowed) = (4, 0x80...0x8f)
    default: throw JSONFault(.invalidUTF8, at: first)
    }
    for index in first + 1..<first + length {
      guard index < count else { throw JSONFault(.unexpectedEnd, at: first) }
      guard allowed.contains(self[index]) else { throw JSONFault(.invalidUTF8, at: first) }
      allowed = 0x80...0xbf
    }
    return first + length
  }

  // MARK: numbers and literals

  /// How far a number has been read; what may follow depends on it.
  enum NumberPart: UInt8 {
    case start, minus, zero, whole, point, fraction, mark, sign, exponent

    /// Whether a number may end here.
    var isEnd: Bool { self == .zero || self == .whole || self == .fraction || self == .exponent }
  }

  /// The offset of the first byte that cannot belong to the number, or `count`; `part` says how far it got.
  func numberEnd(from first: Int, part: inout NumberPart) -> Int {
    var index = first
    while index < count {
      let byte = self[index]
      let isDigit = byte &- UInt8(ascii: "0") <= 9
      switch part {
      case .start where byte == UInt8(ascii: "-"): part = .minus
      case .start where isDigit, .minus where isDigit: part = byte == UInt8(ascii: "0") ? .zero : .whole
      case .whole where isDigit, .fraction where isDigit, .exponent where isDigit: break
      case .zero where byte == UInt8(ascii: "."), .whole where byte == UInt8(ascii: "."): part = .point
      case .point where isDigit: part = .fraction
      case .zero where byte | 0x20 == UInt8(ascii: "e"), .whole where byte | 0x20 == UInt8(ascii: "e"),
        .fraction where byte | 0x20 == UInt8(ascii: "e"):
        part = .mark
      case .mark where byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"): part = .sign
      case .mark where isDigit, .sign where isDigit: part = .exponent
      default: return index
      }
      index += 1
    }
    return index
  }

  /// The literal that begins at `first`, and the offset behind it.
  func literal(at first: Int) throws(JSONFault) -> (JSONKind, end: Int) {
    let kind: JSONKind
    let text: StaticString
    switch self[first] {
    case UInt8(ascii: "t"): (kind, text) = (.true, "true")
    case UInt8(ascii: "f"): (kind, text) = (.false, "false")
    case UInt8(ascii: "n"): (kind, text) = (.null, "null")
    default: throw JSONFault(.expectedValue, at: first)
    }
    for offset in 1..<text.utf8CodeUnitCount {
      guard first + offset < count else { throw JSONFault(.unexpectedEnd, at: first) }
      guard self[first + offset] == text.utf8Start[offset] else { throw JSONFault(.invalidLiteral, at: first) }
    }
    return (kind, first + text.utf8CodeUnitCount)
  }

  // MARK: comparisons

  /// Whether the bytes of a range are exactly an ASCII text.
  @inline(__always)
  func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
    assert(range.lowerBound >= 0 && range.upperBound <= count)
    return range.count == text.utf8CodeUnitCount
      && memcmp(start + range.lowerBound, text.utf8Start, text.utf8CodeUnitCount) == 0
  }

  /// A non-negative integer without sign, fraction or exponent, if a number's bytes are one that fits in `Int64`.
  func wholeNumber(_ range: Range<Int>) -> Int64? {
    var value: Int64 = 0
    for index in range {
      let digit = self[index] &- UInt8(ascii: "0")
      guard digit <= 9 else { return nil }
      let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, carries) = shifted.addingReportingOverflow(Int64(digit))
      guard !overflows, !carries else { return nil }
      value = sum
    }
    return range.isEmpty ? nil : value
  }

  /// Whether a number's bytes are an integer literal of any size: digits, perhaps behind a minus.
  func isInteger(_ range: Range<Int>) -> Bool {
    for index in range where self[index] &- UInt8(ascii: "0") > 9 {
      guard index == range.lowerBound, self[index] == UInt8(ascii: "-") else { return false }
    }
    return !range.isEmpty
  }
}

extension Span<UInt8> {
  /// Lends the bytes to the JSON reader for one call.
  @inline(__always)
  func withJSONBytes<Failure: Error, Result>(
    _ body: (JSONBytes) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeBufferPointer { (buffer) throws(Failure) -> Result in
      if let start = buffer.baseAddress { return try body(JSONBytes(start: start, count: buffer.count)) }
      var nothing: UInt8 = 0
      return try withUnsafePointer(to: &nothing) { (start) throws(Failure) -> Result in
        try body(JSONBytes(start: start, count: 0))
      }
    }
  }
}
