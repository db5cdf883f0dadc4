/// Folds the segments of one instance's folder into the ledger, step by step. Belongs to one thread at a time.
final class InstanceFold {
  /// Bytes of one segment, and records of all, that one transaction takes.
  private static let readLimit = 1024 * 1024
  private static let recordLimit = 10_000

  struct Step: Equatable {
    var records = 0
    /// Another step would find more at once.
    var hasMore = false
  }

  let instance: RecordID
  private let folder: String
  private let ledger: Ledger
  private let report: @Sendable (LedgerEvent) -> Void
  private let onSettled: @Sendable ([UsageRecord]) -> Void
  /// How far each segment is folded and committed; nil until read from the ledger.
  private var offsets: [SegmentName: Int]?
  private var unlinked: [SegmentName] = []
  private let lanes = LaneCache()
  // Kept from step to step for their memory only.
  private var batch: FoldBatch
  private var settled: [UsageRecord] = []
  private var reportedDamage: Set<SegmentName> = []

  init(
    instance: RecordID, folder: String, ledger: Ledger, report: @escaping @Sendable (LedgerEvent) -> Void,
    onSettled: @escaping @Sendable ([UsageRecord]) -> Void
  ) {
    self.instance = instance
    self.folder = folder
    batch = FoldBatch(instance: instance)
    self.ledger = ledger
    self.report = report
    self.onSettled = onSettled
  }

  /// Folds what is new. `isClosed`: nobody writes to the folder any more, so an incomplete tail is a torn one.
  func step(isClosed: Bool) throws -> Step {
    var offsets = try self.offsets ?? ledger.offsets(of: instance)
    let segments = try JournalInstance.segments(in: folder)
    batch.removeAll()
    batch.forgotten = unlinked
    var finished: [SegmentName] = []
    var step = Step()
    var waitingLoop: UInt16?

    for (index, segment) in segments.enumerated() where segment.loop != waitingLoop {
      guard batch.count < Self.recordLimit else {
        step.hasMore = true
        break
      }
      let isLeft = isClosed || (index + 1 < segments.count && isFollowed(segment, by: segments[index + 1]))
      let start = offsets[segment] ?? 0
      let reading = try read(segment, from: start, isLeft: isLeft, into: &batch)
      if reading.end != start { batch.offsets[segment] = reading.end }
      switch reading.rest {
      case .more:
        step.hasMore = true
        waitingLoop = segment.loop
      case .none: if isLeft { finished.append(segment) }
      case .waiting: waitingLoop = segment.loop
      }
    }

    if !batch.isEmpty {
      settled.removeAll(keepingCapacity: true)
      try ledger.fold(batch, into: &settled)
      unlinked = []
      offsets.merge(batch.offsets) { $1 }
      if !settled.isEmpty { onSettled(settled) }
    }
    self.offsets = offsets
    for segment in finished {
      try FileSystem.remove("\(folder)/\(segment)")
      self.offsets?[segment] = nil
      unlinked.append(segment)
    }
    step.records = batch.count
    return step
  }

  /// Folds all that a closed folder has. Returns the number of records.
  func foldAll() throws -> Int {
    var records = 0
    while true {
      let step = try step(isClosed: true)
      records += step.records
      if !step.hasMore { return records }
    }
  }

  /// Whether the journal has gone on to the next segment: it has, once that one's header is whole. (A segment that could not
  /// be begun for lack of space has a part of a header at most, and the journal stays in the one before.) What is read
  /// afterwards of the one before is all that it will ever have.
  private func isFollowed(_ segment: SegmentName, by next: SegmentName) -> Bool {
    guard next.loop == segment.loop, let size = FileSystem.size("\(folder)/\(next)") else { return false }
    return size >= SegmentHeader.size
  }

  private enum Rest { case none, more, waiting }

  /// Reads whole records from `start` on; returns where the next pass goes on.
  private func read(
    _ segment: SegmentName, from start: Int, isLeft: Bool, into batch: inout FoldBatch
  ) throws -> (end: Int, rest: Rest) {
    let path = "\(folder)/\(segment)"
    let bytes = try FileSystem.read(path, from: start, limit: Self.readLimit)
    var at = 0
    if start == 0 {
      guard bytes.count >= SegmentHeader.size else {
        return try endOfValid(segment, at: 0, isDamaged: false, isEmpty: bytes.isEmpty, isLeft: isLeft)
      }
      guard SegmentHeader(bytes) == SegmentHeader(instance: instance, loop: segment.loop, sequence: segment.sequence)
      else { return try endOfValid(segment, at: 0, isDamaged: true, isEmpty: false, isLeft: isLeft) }
      at = SegmentHeader.size
    }
    while true {
      switch JournalFrame.read(bytes, at: at, lanes) {
      case .record(let record, let next):
        batch.add(record)
        at = next
      case .incomplete where bytes.count == Self.readLimit:
        return (start + at, .more)
      case .incomplete:
        return try endOfValid(
          segment, at: start + at, isDamaged: false, isEmpty: at == bytes.count, isLeft: isLeft)
      case .damaged:
        return try endOfValid(segment, at: start + at, isDamaged: true, isEmpty: false, isLeft: isLeft)
      }
    }
  }

  /// After the last valid record: nothing, a tail that may yet be completed, or damage, whose bytes are kept in a copy.
  private func endOfValid(
    _ segment: SegmentName, at offset: Int, isDamaged: Bool, isEmpty: Bool, isLeft: Bool
  ) throws -> (end: Int, rest: Rest) {
    if isEmpty { return (offset, isLeft ? .none : .waiting) }
    let path = "\(folder)/\(segment)"
    guard isLeft else {
      if isDamaged, reportedDamage.insert(segment).inserted {
        let size = FileSystem.size(path) ?? offset
        report(.damaged(file: path, offset: offset, bytes: size - offset, copy: nil))
      }
      return (offset, .waiting)
    }
    let whole = try FileSystem.read(path, from: 0, limit: Int.max)
    let copy = "\(folder)-\(segment).corrupt"
    try FileSystem.write(whole, to: copy)
    report(.damaged(file: path, offset: offset, bytes: whole.count - offset, copy: copy))
    return (whole.count, .none)
  }
}
