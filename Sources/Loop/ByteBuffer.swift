#if canImport(Glibc)
  import Glibc
#endif

/// A growable run of bytes with a moving start: appended at the end, consumed at the front, one contiguous piece.
///
/// It never shares its memory. `release()` gives the memory back, so that an idle connection costs none.
public struct ByteBuffer: ~Copyable {
  private var base: UnsafeMutableRawPointer?
  private var start = 0
  private var end = 0
  private var capacity = 0

  public init() {}

  deinit { free(base) }

  /// The number of bytes held.
  @inline(__always) public var count: Int { end - start }
  public var isEmpty: Bool { end == start }
  /// Whether it has memory of its own, be it used or not.
  public var hasMemory: Bool { capacity > 0 }
  /// Bytes that can be appended before the memory has to grow.
  public var room: Int { capacity - end }

  /// Room for at least `count` more bytes behind the end, moving what is held if it must.
  @inline(__always) public mutating func reserve(_ count: Int) {
    if capacity - end < count { makeRoom(count) }
  }

  @inline(never) private mutating func makeRoom(_ count: Int) {
    let held = self.count
    if let base, capacity - held >= count, start >= capacity / 4 {
      // A quarter or more is free at the front, so what is moved was paid for by what was consumed.
      memmove(base, base + start, held)
    } else {
      var wanted = max(base == nil ? 0 : capacity * 2, 512)
      while wanted - held < count { wanted *= 2 }
      if start == 0 {
        base = realloc(base, wanted)
      } else {
        let bigger = malloc(wanted)
        if let bigger, let base { memcpy(bigger, base + start, held) }
        free(base)
        base = bigger
      }
      precondition(base != nil, "out of memory")
      capacity = wanted
    }
    start = 0
    end = held
  }

  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    if let base { memcpy(base + end, from, bytes.count) }
    end += bytes.count
  }

  public mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { append($0) }
  }

  public mutating func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }

  public mutating func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  // A literal is taken for a StaticString: its bytes are where they are, a String's have to be asked for.
  @_disfavoredOverload public mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  public mutating func append(byte: UInt8) {
    reserve(1)
    if let base { base.storeBytes(of: byte, toByteOffset: end, as: UInt8.self) }
    end += 1
  }

  /// Appends a non-negative number in decimal.
  public mutating func append(decimal value: Int) {
    var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
    withUnsafeMutableBytes(of: &digits) { room in
      var at = room.count
      var rest = value.magnitude
      repeat {
        at -= 1
        room[at] = UInt8(48 + rest % 10)
        rest /= 10
      } while rest > 0
      append(UnsafeRawBufferPointer(rebasing: room[at...]))
    }
  }

  /// Appends 128 bits as the text of a UUID (RFC 9562 section 4).
  public mutating func append(uuid: (high: UInt64, low: UInt64)) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 36) { text in
      var at = 0
      for index in 0..<32 {
        if index == 8 || index == 12 || index == 16 || index == 20 {
          text[at] = UInt8(ascii: "-")
          at += 1
        }
        let word = index < 16 ? uuid.high : uuid.low
        let digit = UInt8(truncatingIfNeeded: word >> (60 - 4 * UInt64(index % 16)) & 15)
        text[at] = digit < 10 ? 48 + digit : 87 + digit
        at += 1
      }
      append(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: text[..<at])))
    }
  }

  /// Reads from a descriptor into the room behind the end; at most `limit` bytes in one call.
  ///
  /// - Returns: what `read(2)` returned, a negative errno included.
  public mutating func read(from fill: (UnsafeMutableRawPointer, Int) -> Int, limit: Int) -> Int {
    reserve(limit)
    guard let base else { return 0 }
    let got = fill(base + end, limit)
    if got > 0 { end += got }
    return got
  }

  /// Drops `count` bytes at the front.
  public mutating func consume(_ count: Int) {
    start += min(count, self.count)
    if start == end {
      start = 0
      end = 0
    }
  }

  /// Drops what lies behind the first `count` bytes.
  public mutating func truncate(to count: Int) {
    end = min(end, start + count)
  }

  /// Drops everything and keeps the memory.
  public mutating func removeAll() {
    start = 0
    end = 0
  }

  /// Gives the memory back if nothing is held.
  public mutating func release() {
    guard start == end else { return }
    free(base)
    base = nil
    start = 0
    end = 0
    capacity = 0
  }

  /// The bytes held, for the length of one call.
  public func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: base.map { UnsafeRawPointer($0 + start) }, count: count))
  }

  /// The bytes held, for the length of one call.
  public func withSpan<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    let held = UnsafeBufferPointer(start: base.map { ($0 + start).assumingMemoryBound(to: UInt8.self) }, count: count)
    return try body(held.span)
  }

  /// Overwrites bytes already held, from `offset` on; what would lie outside is left out.
  public mutating func overwrite(at offset: Int, with bytes: UnsafeRawBufferPointer) {
    guard let base, let from = bytes.baseAddress, offset >= 0, offset <= count else { return }
    memcpy(base + start + offset, from, min(bytes.count, count - offset))
  }

  /// A copy as an array: for cold paths.
  public func array() -> [UInt8] { withBytes { [UInt8]($0) } }
}
