/// One record of a journal.
enum JournalRecord: Equatable {
  case opened(OpenRecord)
  case settled(AttemptSettled)
}

/// An open record as it is read: its names are its lane's.
struct OpenRecord: Equatable {
  /// The attempt without its names.
  var unnamed: AttemptOpened
  var lane: Lane

  /// The attempt as it was journaled.
  var attempt: AttemptOpened {
    var attempt = unnamed
    lane.name(&attempt)
    return attempt
  }
}

/// A frame is `length: UInt32`, `checksum: UInt32`, then `length` bytes of one record, all little-endian. The checksum is
/// CRC-32C over the length and the bytes, so that a run of zeros is no frame.
enum JournalFrame {
  static let headSize = 8
  /// A longer frame is never written; a length beyond it is damage.
  static let maximumLength = 16 * 1024
  /// Names longer than this are cut at a character's edge.
  static let maximumName = 1024

  /// What is at a place in a segment.
  enum Reading: Equatable {
    /// A whole record and the offset after it.
    case record(JournalRecord, next: Int)
    /// Not all bytes of a frame are there (yet).
    case incomplete
    case damaged
  }

  static func checksum(length: UInt32, _ payload: UnsafeRawBufferPointer) -> UInt32 {
    let head = withUnsafeBytes(of: length.littleEndian) { CRC32C.checksum($0) }
    return CRC32C.checksum(payload, after: head)
  }

  /// Reads the frame at `offset`.
  static func read(_ bytes: [UInt8], at offset: Int, _ lanes: LaneCache) -> Reading {
    var head = ByteReader(bytes, from: offset, to: bytes.count)
    guard let length = head.integer(UInt32.self) else { return .incomplete }
    guard length > 0, length <= maximumLength else { return .damaged }
    guard let expected = head.integer(UInt32.self) else { return .incomplete }
    let start = offset + headSize
    let end = start + Int(length)
    guard end <= bytes.count else { return .incomplete }
    let actual = bytes.withUnsafeBytes { checksum(length: length, UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
    guard actual == expected else { return .damaged }
    var payload = ByteReader(bytes, from: start, to: end)
    guard let record = JournalRecord(from: &payload, lanes), payload.isAtEnd else { return .damaged }
    return .record(record, next: end)
  }
}
