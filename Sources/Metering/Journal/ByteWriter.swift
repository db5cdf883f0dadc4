/// Appends little-endian values to one buffer that is kept and re-used: no allocation once it has grown.
struct ByteWriter {
  private(set) var bytes: [UInt8] = []

  init(capacity: Int) { bytes.reserveCapacity(capacity) }

  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  mutating func integer(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func id(_ value: RecordID) {
    integer(value.high)
    integer(value.low)
  }

  /// A name: its length in 16 bits, then UTF-8, cut to `JournalFrame.maximumName` bytes at a character's edge.
  mutating func name(_ value: String) {
    let utf8 = value.utf8
    if utf8.count <= JournalFrame.maximumName {
      integer(UInt16(truncatingIfNeeded: utf8.count))
      bytes.append(contentsOf: utf8)
      return
    }
    var cut = utf8.index(utf8.startIndex, offsetBy: JournalFrame.maximumName)
    while utf8[cut] & 0xC0 == 0x80 { cut = utf8.index(before: cut) }
    let short = utf8[..<cut]
    integer(UInt16(truncatingIfNeeded: short.count))
    bytes.append(contentsOf: short)
  }

  /// Appends one frame: room for its head, what `body` writes, then the head.
  mutating func frame(_ body: (inout ByteWriter) -> Void) {
    let start = bytes.count
    integer(UInt64(0))
    body(&self)
    let length = UInt32(truncatingIfNeeded: bytes.count - start - JournalFrame.headSize)
    bytes.withUnsafeMutableBytes { all in
      let payload = UnsafeRawBufferPointer(rebasing: all[(start + JournalFrame.headSize)...])
      let checksum = JournalFrame.checksum(length: length, payload)
      all.storeBytes(of: length.littleEndian, toByteOffset: start, as: UInt32.self)
      all.storeBytes(of: checksum.littleEndian, toByteOffset: start + 4, as: UInt32.self)
    }
  }
}
