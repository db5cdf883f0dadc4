/// Reads little-endian values from a stretch of bytes; nil when too few are left.
struct ByteReader {
  private let bytes: [UInt8]
  private var at: Int
  private let end: Int

  init(_ bytes: [UInt8], from start: Int, to end: Int) {
    self.bytes = bytes
    self.at = start
    self.end = end
  }

  var isAtEnd: Bool { at == end }

  mutating func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    let size = MemoryLayout<T>.size
    guard end - at >= size else { return nil }
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: T.self) }
    at += size
    return T(littleEndian: value)
  }

  /// A name: its length in 16 bits, then UTF-8.
  mutating func name() -> String? {
    guard let length = integer(UInt16.self), end - at >= Int(length) else { return nil }
    defer { at += Int(length) }
    return String(decoding: bytes[at..<(at + Int(length))], as: UTF8.self)
  }

  mutating func id() -> RecordID? {
    guard let high = integer(UInt64.self), let low = integer(UInt64.self) else { return nil }
    return RecordID(high: high, low: low)
  }
}
