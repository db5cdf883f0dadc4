/// One buffer of frames that is kept and re-used: no allocation once it has grown.
struct ByteWriter {
  /// The head and body of the longest frame, and more.
  private static let room = JournalFrame.headSize + JournalFrame.maximumLength

  private var storage: [UInt8]
  private(set) var count = 0

  init(capacity: Int) { storage = Array(repeating: 0, count: capacity) }

  var isEmpty: Bool { count == 0 }

  mutating func removeAll() { count = 0 }

  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }

  /// Appends one frame: its head, and what `body` writes, which is at most `JournalFrame.maximumLength` bytes.
  mutating func frame(_ body: (inout ByteCursor) -> Void) {
    if storage.count - count < Self.room {
      storage.append(contentsOf: repeatElement(0, count: max(storage.count, Self.room)))
    }
    count += storage.withUnsafeMutableBytes { all in
      var cursor = ByteCursor(UnsafeMutableRawBufferPointer(rebasing: all[count..<(count + Self.room)]))
      cursor.integer(UInt64(0))
      body(&cursor)
      let payload = UnsafeRawBufferPointer(rebasing: cursor.written[JournalFrame.headSize...])
      let length = UInt32(truncatingIfNeeded: payload.count)
      let size = cursor.count
      let checksum = JournalFrame.checksum(length: length, payload)
      cursor.count = 0
      cursor.integer(length)
      cursor.integer(checksum)
      return size
    }
  }
}

/// Writes little-endian values into memory that its maker has measured: every value is checked against the end.
struct ByteCursor {
  private let memory: UnsafeMutableRawBufferPointer
  fileprivate(set) var count = 0

  fileprivate init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

  /// What `body` writes, at most `capacity` bytes.
  static func bytes(capacity: Int, _ body: (inout ByteCursor) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      var cursor = ByteCursor(UnsafeMutableRawBufferPointer(buffer))
      body(&cursor)
      count = cursor.count
    }
  }

  var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    precondition(count + MemoryLayout<T>.size <= memory.count)
    memory.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
    count += MemoryLayout<T>.size
  }

  mutating func id(_ value: RecordID) {
    integer(value.high)
    integer(value.low)
  }

  /// A name: its length in 16 bits, then UTF-8, cut to `JournalFrame.maximumName` bytes at a character's edge.
  mutating func name(_ value: String) {
    var value = value
    value.withUTF8 { utf8 in
      var length = utf8.count
      if length > JournalFrame.maximumName {
        length = JournalFrame.maximumName
        while length > 0, utf8[length] & 0xC0 == 0x80 { length -= 1 }
      }
      integer(UInt16(truncatingIfNeeded: length))
      precondition(count + length <= memory.count)
      let place = UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + length)])
      place.copyMemory(from: UnsafeRawBufferPointer(start: utf8.baseAddress, count: length))
      count += length
    }
  }
}
