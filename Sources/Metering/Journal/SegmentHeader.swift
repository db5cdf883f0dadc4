/// The first 40 bytes of a segment: magic `PMJL`, format version, loop, instance id, sequence number, CRC-32C of all that.
struct SegmentHeader: Equatable {
  static let size = 40
  static let magic: UInt32 = 0x4C4A_4D50
  /// Raise it when a record's layout changes in more than new enumeration values.
  static let version: UInt16 = 1

  var instance: RecordID
  var loop: UInt16
  var sequence: UInt64

  var encoded: [UInt8] {
    ByteCursor.bytes(capacity: Self.size) { cursor in
      cursor.integer(Self.magic)
      cursor.integer(Self.version)
      cursor.integer(loop)
      cursor.id(instance)
      cursor.integer(sequence)
      cursor.integer(UInt32(0))
      cursor.integer(CRC32C.checksum(cursor.written))
    }
  }

  init(instance: RecordID, loop: UInt16, sequence: UInt64) {
    self.instance = instance
    self.loop = loop
    self.sequence = sequence
  }

  /// Nil when the bytes are not a header of a version that this program reads.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.size else { return nil }
    var reader = ByteReader(bytes, from: 0, to: Self.size)
    guard reader.integer(UInt32.self) == Self.magic, reader.integer(UInt16.self) == Self.version,
      let loop = reader.integer(UInt16.self), let instance = reader.id(), let sequence = reader.integer(UInt64.self)
    else { return nil }
    self.init(instance: instance, loop: loop, sequence: sequence)
    guard encoded == Array(bytes[..<Self.size]) else { return nil }
  }
}
