/// The 64-bit FNV-1a hash: the same value in every process and on every machine (offset basis and prime as published by
/// Fowler, Noll and Vo).
struct FNV1a {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  @inline(__always)
  mutating func combine(_ byte: UInt8) {
    value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }

  mutating func combine(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { combine(byte) }
  }

  /// The eight bytes of `number`, lowest first.
  mutating func combine(_ number: Int64) {
    var rest = UInt64(bitPattern: number)
    for _ in 0..<8 {
      combine(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  /// The hash of a text's UTF-8.
  static func hash(_ text: String) -> UInt64 {
    var hash = FNV1a()
    hash.combine(text.utf8)
    return hash.value
  }
}
