/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight table look-ups per eight bytes.
enum CRC32C {
  private static let table: [UInt32] = {
    var table = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
      table[byte] = value
    }
    for byte in 0..<256 {
      for slice in 1..<8 {
        let before = table[(slice - 1) * 256 + byte]
        table[slice * 256 + byte] = before >> 8 ^ table[Int(before & 0xFF)]
      }
    }
    return table
  }()

  /// The checksum of `bytes`, carried on from an earlier checksum.
  static func checksum(_ bytes: UnsafeRawBufferPointer, after earlier: UInt32 = 0) -> UInt32 {
    table.withUnsafeBufferPointer { table in
      var crc = ~earlier
      var at = 0
      while at + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ UInt64(crc)
        var next: UInt32 = 0
        for slice in 0..<8 {
          next ^= table[(7 - slice) * 256 + Int(truncatingIfNeeded: word >> UInt64(8 * slice) & 0xFF)]
        }
        crc = next
        at += 8
      }
      while at < bytes.count {
        crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[at])) & 0xFF)]
        at += 1
      }
      return ~crc
    }
  }
}
