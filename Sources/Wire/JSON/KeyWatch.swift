/// Which keys a walk over a JSON text tells of: a first look at length and first letter, so that most are passed over
/// without a comparison. What it lets through may still be another key.
struct KeyWatch: Sendable {
  /// Bit n: keys of n bytes.
  private let lengths: UInt32
  /// Bit n: keys that begin with the nth letter from `a`.
  private let letters: UInt32

  static let none = KeyWatch([])

  init(_ names: [StaticString]) {
    var (lengths, letters): (UInt32, UInt32) = (0, 0)
    for name in names {
      lengths |= 1 << UInt32(name.utf8CodeUnitCount)
      letters |= 1 << UInt32(name.utf8Start[0] &- UInt8(ascii: "a"))
    }
    self.lengths = lengths
    self.letters = letters
  }

  @inline(__always)
  var isOff: Bool { lengths == 0 }

  @inline(__always)
  func takes(_ bytes: JSONBytes, _ key: Range<Int>) -> Bool {
    // A shift by more than the width gives 0.
    guard lengths >> UInt32(truncatingIfNeeded: min(key.count, 32)) & 1 != 0, !key.isEmpty else { return false }
    return letters >> UInt32(bytes[key.lowerBound] &- UInt8(ascii: "a")) & 1 != 0
  }
}
