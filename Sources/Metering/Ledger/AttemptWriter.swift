import GRDB

/// Writes the attempts of one transaction: idempotent by attempt id, so that a segment may be folded any number of times.
struct AttemptWriter: ~Copyable {
  /// Some attempt of the batch has a row already: undo the transaction and write them one by one.
  struct Overlap: Error {}

  /// Rows of one `INSERT` while no attempt has a row yet: a third cheaper than one at a time.
  private static let rowsAtOnce = 16

  private let db: Database
  private let instance: RecordID
  private var insertion: BoundStatement
  private var insertions: BoundStatement
  private var lookup: BoundStatement
  private var settlement: BoundStatement
  /// Lanes of attempts that were opened in an earlier transaction.
  private var earlier: [Int64: Lane] = [:]

  init(instance: RecordID, in db: Database) throws {
    let insertion = try BoundStatement(Self.insertionSQL, in: db, idLimit: 3)
    let insertions = try BoundStatement(Self.insertionsSQL, in: db, idLimit: 3 * Self.rowsAtOnce)
    let lookup = try BoundStatement(Self.lookupSQL, in: db, idLimit: 1)
    let settlement = try BoundStatement(Self.settlementSQL, in: db, idLimit: 1)
    self.db = db
    self.instance = instance
    self.insertion = insertion
    self.insertions = insertions
    self.lookup = lookup
    self.settlement = settlement
  }

  private static let endColumns = [
    "outcome", "failure", "status", "final", "input_tokens", "cached_input_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "observed_output_tokens", "input_source", "output_source", "cost_nanousd",
    "ttft_us", "duration_us", "flags", "price_version",
  ]

  private static let insertionSQL = insertionSQL(rows: 1)
  private static let insertionsSQL = insertionSQL(rows: rowsAtOnce)

  // FAIL and not ABORT: whoever calls undoes the whole transaction, so SQLite need not be able to undo the statement.
  private static func insertionSQL(rows: Int) -> String {
    let row = "(" + repeatElement("?", count: 9 + endColumns.count).joined(separator: ", ") + ")"
    return """
      INSERT OR FAIL INTO attempts (attempt_id, completion_id, instance, time_ms, lane, attempt, reason, streamed,
        prompt_bytes, \(endColumns.joined(separator: ", ")))
      VALUES \(repeatElement(row, count: rows).joined(separator: ", "))
      ON CONFLICT (attempt_id) DO NOTHING
      """
  }

  private static let lookupSQL = """
    SELECT outcome IS NULL, completion_id, time_ms, lane, attempt, reason, streamed, prompt_bytes, flags FROM attempts
    WHERE attempt_id = ?
    """

  // RETURNING would do the look-up too, but makes SQLite keep each page for an undo of the statement.
  private static let settlementSQL = """
    UPDATE OR FAIL attempts SET instance = NULL, \(endColumns.map { $0 + " = ?" }.joined(separator: ", "))
    WHERE attempt_id = ?
    """

  /// Writes all of a batch; the settle records that came alone after the rows that they may belong to. `oneByOne` is for
  /// attempts that may have a row already; else such a one is an `Overlap`. Adds what was settled to `settled`.
  mutating func write(_ batch: borrowing FoldBatch, oneByOne: Bool, settled: inout [UsageRecord]) throws {
    var first = 0
    while !oneByOne, batch.attempts.count - first >= Self.rowsAtOnce {
      let next = first + Self.rowsAtOnce
      for place in first..<next {
        let lane = try batch.attempts[place].open.lane.number(in: db)
        insertions.bind(batch.attempts[place], lane: lane, instance)
      }
      guard try insertions.run() == Self.rowsAtOnce else { throw Overlap() }
      for place in first..<next { Self.deliver(batch.attempts[place], &settled) }
      first = next
    }
    for place in first..<batch.attempts.count { try write(batch.attempts[place], &settled) }
    for settle in batch.settled { try write(settle, &settled) }
  }

  private mutating func write(_ attempt: FoldBatch.Folded, _ settled: inout [UsageRecord]) throws {
    insertion.bind(attempt, lane: try attempt.open.lane.number(in: db), instance)
    if try insertion.run() > 0 {
      Self.deliver(attempt, &settled)
    } else if let settle = attempt.settled {
      // Its row is there: from an earlier batch, or all of this was folded before.
      try write(settle, &settled)
    }
  }

  private static func deliver(_ attempt: FoldBatch.Folded, _ settled: inout [UsageRecord]) {
    guard let settle = attempt.settled else { return }
    settled.append(UsageRecord(opened: attempt.open.attempt, settled: settle))
  }

  /// Settles an attempt that may have a row already. One that is settled stays as it is, but for a usage that came late.
  private mutating func write(_ settle: AttemptSettled, _ settled: inout [UsageRecord]) throws {
    lookup.bind(settle.id)
    defer { lookup.reset() }
    guard try lookup.step() else { return try writeWithoutOpening(settle, &settled) }
    guard lookup.integer(0) == 1 else {
      guard settle.completes(UsageFlags(rawValue: UInt16(truncatingIfNeeded: lookup.integer(8)))) else { return }
      settlement.bind(end: settle)
      settlement.bind(settle.id)
      _ = try settlement.run()
      return
    }
    var opened = AttemptOpened(
      id: settle.id, completion: lookup.id(1) ?? settle.id, unixMilliseconds: UInt64(clamping: lookup.integer(2)))
    try lane(lookup.integer(3))?.name(&opened)
    opened.attempt = UInt16(clamping: lookup.integer(4))
    opened.reason = AttemptReason(rawValue: UInt8(clamping: lookup.integer(5))) ?? .first
    opened.streamed = lookup.integer(6) != 0
    opened.promptBytes = UInt64(clamping: lookup.integer(7))
    opened.priceVersion = settle.priceVersion
    settlement.bind(end: settle)
    settlement.bind(settle.id)
    _ = try settlement.run()
    settled.append(UsageRecord(opened: opened, settled: settle))
  }

  /// The open record was lost with a damaged segment: what the attempt consumed is kept, without names.
  private mutating func writeWithoutOpening(_ settle: AttemptSettled, _ settled: inout [UsageRecord]) throws {
    let opened = AttemptOpened(id: settle.id, completion: settle.id, unixMilliseconds: settle.id.unixMilliseconds)
    var flagged = settle
    flagged.flags.insert(.openMissing)
    try write(FoldBatch.Folded(open: OpenRecord(unnamed: opened, lane: .unnamed), settled: flagged), &settled)
  }

  /// A lane by its number.
  private mutating func lane(_ number: Int64) throws -> Lane? {
    if let lane = earlier[number] { return lane }
    let lane = try Lane.fetch(number, in: db)
    earlier[number] = lane
    return lane
  }
}

extension BoundStatement {
  /// A row.
  fileprivate mutating func bind(_ folded: FoldBatch.Folded, lane: Int64, _ instance: RecordID) {
    let attempt = folded.open.unnamed
    bind(attempt.id)
    bind(attempt.completion)
    if folded.settled == nil { bind(instance) } else { bind(nil as Int64?) }
    bind(attempt.unixMilliseconds)
    bind(lane)
    bind(attempt.attempt)
    bind(attempt.reason.rawValue)
    bind(attempt.streamed)
    bind(attempt.promptBytes)
    if let settle = folded.settled {
      bind(end: settle)
    } else {
      bind(endOfOpen: attempt.priceVersion)
    }
  }

  /// The columns that a settle record fills.
  fileprivate mutating func bind(end settle: AttemptSettled) {
    bind(settle.outcome.rawValue)
    bind(settle.failure.rawValue)
    bind(settle.httpStatus.map { Int64($0) })
    bind(settle.isFinal)
    bind(settle.usage.input)
    bind(settle.usage.cachedInput)
    bind(settle.usage.cacheWrite)
    bind(settle.usage.output)
    bind(settle.usage.reasoning)
    bind(settle.observedOutput)
    bind(settle.inputSource.rawValue)
    bind(settle.outputSource.rawValue)
    bind(settle.cost)
    bind(settle.timeToFirstToken.map { Int64(clamping: $0) })
    bind(settle.duration)
    bind(settle.flags.rawValue)
    bind(Int64(bitPattern: settle.priceVersion))
  }

  /// The same columns of an attempt that still runs.
  fileprivate mutating func bind(endOfOpen priceVersion: UInt64) {
    let unknown: Int64? = nil
    for _ in 0..<3 { bind(unknown) }
    bind(false)
    for _ in 0..<6 { bind(unknown) }
    bind(TokenSource.unknown.rawValue)
    bind(TokenSource.unknown.rawValue)
    for _ in 0..<3 { bind(unknown) }
    bind(0 as Int64)
    bind(Int64(bitPattern: priceVersion))
  }
}
