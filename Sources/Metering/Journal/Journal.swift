import Glibc

/// The journal of one data-plane loop. Belongs to that loop's thread; never `Sendable`.
///
/// A round appends its records to one buffer, then flushes it with one `write`, before the round's upstream sends (open
/// records) or terminal bytes (settle records). What `flush` has said true to survives a kill of the process.
public final class Journal {
  /// Appends bytes to a file: how many were taken, or -1 with `errno` set, as `write(2)`.
  public typealias Write = (_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int

  /// Sizes of a journal, in bytes.
  public struct Limits: Sendable {
    /// A segment that has reached this size is followed by a new one.
    public var segment = 8 * 1024 * 1024
    /// Kept in memory at most while writes fail. Open records are refused from half of it on, so that attempts that run
    /// can still be settled.
    public var pending = 8 * 1024 * 1024
    public init() {}
  }

  private let instance: JournalInstance
  private let limits: Limits
  private let write: Write
  private var segment: SegmentName
  private var file: Int32
  /// Everything before it is written; what the file has beyond it is a failed write's.
  private var goodOffset: Int
  private var hasTornTail = false
  private var pending: ByteWriter

  /// Opens the loop's first segment.
  public convenience init(instance: JournalInstance, loop: Int, limits: Limits = Limits()) throws(JournalError) {
    try self.init(instance: instance, loop: loop, limits: limits) { Glibc.write($0, $1.baseAddress, $1.count) }
  }

  /// As above, with another `write`: the seam for tests of failing disks.
  public init(
    instance: JournalInstance, loop: Int, limits: Limits = Limits(), write: @escaping Write
  ) throws(JournalError) {
    self.instance = instance
    self.limits = limits
    self.write = write
    pending = ByteWriter(capacity: 256 * 1024)
    segment = SegmentName(loop: UInt16(truncatingIfNeeded: loop), sequence: 1)
    file = try Self.create(segment, of: instance, write: write)
    goodOffset = SegmentHeader.size
  }

  deinit { if file >= 0 { Glibc.close(file) } }

  /// Bytes that wait for a write.
  public var pendingBytes: Int { pending.count }

  /// No open record is taken until a flush succeeds: answer new requests with 503.
  public var isFull: Bool { pending.count >= limits.pending / 2 }

  /// Appends an open record to the buffer; false, and nothing is appended, when the journal is full.
  public func append(_ record: AttemptOpened) -> Bool {
    guard !isFull else { return false }
    pending.frame { JournalRecord.write(record, to: &$0) }
    return true
  }

  /// Appends a settle record to the buffer; false, and nothing is appended, when not even settle records fit any more:
  /// the attempt will then be closed by recovery as interrupted.
  public func append(_ record: AttemptSettled) -> Bool {
    guard pending.count < limits.pending else { return false }
    pending.frame { JournalRecord.write(record, to: &$0) }
    return true
  }

  /// Writes all that was appended, in one `write`. False when it is not all written: it is kept, and the next flush tries
  /// again; until then no upstream send and no terminal byte may go out.
  public func flush() -> Bool {
    guard !pending.isEmpty else { return true }
    guard file >= 0, cutTornTail() else { return false }
    rotateWhenDue()
    let count = pending.count
    var written: Int
    repeat {
      written = pending.withBytes { write(file, $0) }
    } while written < 0 && errno == EINTR
    guard written == count else {
      hasTornTail = true
      _ = cutTornTail()
      return false
    }
    goodOffset += count
    pending.removeAll()
    return true
  }

  /// Flushes and closes the file; false when records could not be written. Nothing can be flushed afterwards.
  public func close() -> Bool {
    let isWritten = flush()
    if file >= 0 { Glibc.close(file) }
    file = -1
    return isWritten
  }

  /// Takes away what a failed write left behind the last good record. What comes next at that place is the same bytes, so
  /// a reader that saw them has seen nothing false.
  private func cutTornTail() -> Bool {
    guard hasTornTail else { return true }
    while ftruncate(file, goodOffset) != 0 {
      guard errno == EINTR else { return false }
    }
    hasTornTail = false
    return true
  }

  /// Goes on in a new segment when this one is long enough; when none can be made, this one grows on.
  private func rotateWhenDue() {
    guard goodOffset >= limits.segment else { return }
    let next = SegmentName(loop: segment.loop, sequence: segment.sequence + 1)
    guard let opened = try? Self.create(next, of: instance, write: write) else { return }
    Glibc.close(file)
    file = opened
    segment = next
    goodOffset = SegmentHeader.size
  }

  private static func create(
    _ segment: SegmentName, of instance: JournalInstance, write: Write
  ) throws(JournalError) -> Int32 {
    let path = instance.path(of: segment)
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw JournalError("create", path) }
    let header = SegmentHeader(instance: instance.id, loop: segment.loop, sequence: segment.sequence).encoded
    guard header.withUnsafeBytes({ write(file, $0) }) == header.count else {
      let code = errno
      unlink(path)
      Glibc.close(file)
      throw JournalError("write", path, code: code)
    }
    return file
  }
}
