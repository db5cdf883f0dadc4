/// A UUID of version 7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 74 random bits, so ids sort by time.
///
/// The router makes it; a provider's or client's id is never used as one.
public struct RecordID: Hashable, Comparable, Sendable {
  public let high: UInt64
  public let low: UInt64

  /// The two big-endian halves of the sixteen bytes, as they are.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A fresh id for this millisecond. Ids of one loop that must also ascend come from a `RecordIDSource`.
  public static func make(unixMilliseconds: UInt64, random: inout some RandomNumberGenerator) -> RecordID {
    RecordID(unixMilliseconds: unixMilliseconds, randomHigh: random.next(), randomLow: random.next())
  }

  /// Uses the low 12 bits of `randomHigh` and the low 62 of `randomLow`; the rest is time, version and variant.
  init(unixMilliseconds: UInt64, randomHigh: UInt64, randomLow: UInt64) {
    high = (unixMilliseconds & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (randomHigh & 0x0FFF)
    low = 0x8000_0000_0000_0000 | (randomLow & 0x3FFF_FFFF_FFFF_FFFF)
  }

  /// The time in the id, in Unix milliseconds.
  public var unixMilliseconds: UInt64 { high >> 16 }

  /// The 62 random bits are enough.
  public func hash(into hasher: inout Hasher) { hasher.combine(low) }

  public static func < (a: RecordID, b: RecordID) -> Bool {
    a.high != b.high ? a.high < b.high : a.low < b.low
  }
}

// MARK: Text

extension RecordID: CustomStringConvertible {
  /// The canonical text: 36 characters, lower case, `xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx`.
  public var description: String {
    String(unsafeUninitializedCapacity: 36) { buffer in
      var at = 0
      for position in 0..<32 {
        if position == 8 || position == 12 || position == 16 || position == 20 {
          buffer[at] = UInt8(ascii: "-")
          at += 1
        }
        buffer[at] = digit(position)
        at += 1
      }
      return at
    }
  }

  /// The 32 hexadecimal digits without dashes.
  public var hex: String {
    String(unsafeUninitializedCapacity: 32) { buffer in
      for position in 0..<32 { buffer[position] = digit(position) }
      return 32
    }
  }

  private func digit(_ position: Int) -> UInt8 {
    let half = position < 16 ? high : low
    let nibble = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (position & 15))) & 15
    return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
  }

  /// Reads the canonical text, or the 32 digits without dashes; upper case is accepted. Any UUID's text is read, whatever
  /// its version.
  public init?(_ text: some StringProtocol) {
    var halves: (UInt64, UInt64) = (0, 0)
    var digits = 0
    var dashes = 0
    for byte in text.utf8 {
      let nibble: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): nibble = byte - UInt8(ascii: "A") + 10
      case UInt8(ascii: "-"):
        let places = [8, 12, 16, 20]
        guard dashes < places.count, digits == places[dashes] else { return nil }
        dashes += 1
        continue
      default: return nil
      }
      guard digits < 32 else { return nil }
      if digits < 16 { halves.0 = halves.0 << 4 | UInt64(nibble) } else { halves.1 = halves.1 << 4 | UInt64(nibble) }
      digits += 1
    }
    guard digits == 32, dashes == 0 || dashes == 4 else { return nil }
    self.init(high: halves.0, low: halves.1)
  }
}
