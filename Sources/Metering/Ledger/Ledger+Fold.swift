import GRDB

/// Writing: idempotent by attempt id, so that a segment may be folded any number of times.
extension Ledger {
  /// Commits a batch with its progress in one transaction. Returns the attempts that it settled, each joined to its open
  /// record; none that were settled before.
  func fold(_ batch: FoldBatch) throws -> [UsageRecord] {
    try LedgerError.converting("fold the journal") {
      try pool.write { db in
        let instance = batch.instance.description
        var settled: [UsageRecord] = []
        for record in batch.records {
          switch record {
          case .opened(let opened):
            try Self.insert(opened, instance: instance, in: db)
          case .settled(let settle):
            if let record = try Self.settle(settle.bounded, instance: instance, in: db) { settled.append(record) }
          }
        }
        for (segment, offset) in batch.offsets {
          try Self.execute(
            "INSERT OR REPLACE INTO journal_progress (instance, segment, offset) VALUES (?, ?, ?)",
            [instance, segment.description, offset], in: db)
        }
        for segment in batch.forgotten {
          try Self.execute(
            "DELETE FROM journal_progress WHERE instance = ? AND segment = ?", [instance, segment.description], in: db)
        }
        return settled
      }
    }
  }

  /// How far an instance's segments are folded.
  func offsets(of instance: RecordID) throws -> [SegmentName: Int] {
    try LedgerError.converting("read the journal's progress") {
      try pool.read { db in
        let rows = try Row.fetchAll(
          db, sql: "SELECT segment, offset FROM journal_progress WHERE instance = ?", arguments: [instance.description])
        var offsets: [SegmentName: Int] = [:]
        for row in rows {
          guard let segment = SegmentName(row[0] as String) else { continue }
          offsets[segment] = row[1]
        }
        return offsets
      }
    }
  }

  /// Ends an instance that is wholly folded: closes, once, what it left open, and forgets its progress. Returns how many
  /// attempts were closed.
  func end(instance: RecordID, failure: FailureClass) throws -> Int {
    try LedgerError.converting("close interrupted attempts") {
      try pool.write { db in
        // Final is the last attempt of a completion, unless the client already saw another end.
        try db.execute(
          sql: """
            UPDATE attempts SET outcome = 'interrupted', failure = ?, final = NOT EXISTS (
              SELECT 1 FROM attempts AS other WHERE other.completion_id = attempts.completion_id
              AND (other.final = 1 OR other.attempt > attempts.attempt))
            WHERE instance = ? AND outcome IS NULL
            """, arguments: [failure.name, instance.description])
        let closed = db.changesCount
        try db.execute(
          sql: "DELETE FROM journal_progress WHERE instance = ?", arguments: [instance.description])
        return closed
      }
    }
  }

  /// Instances that have open attempts or progress.
  func unfinishedInstances() throws -> [RecordID] {
    try LedgerError.converting("read open attempts") {
      try pool.read { db in
        try String.fetchAll(
          db,
          sql: """
            SELECT DISTINCT instance FROM attempts WHERE outcome IS NULL
            UNION SELECT instance FROM journal_progress
            """
        ).compactMap { RecordID($0) }
      }
    }
  }

  private static func execute(_ sql: String, _ values: [any DatabaseValueConvertible], in db: Database) throws {
    let statement = try db.cachedStatement(sql: sql)
    try statement.execute(arguments: StatementArguments(values))
  }

  private static let insertion = """
    INSERT INTO attempts (attempt_id, completion_id, instance, time_ms, key, route, rule, model, provider, endpoint,
      attempt, reason, streamed, prompt_bytes, price_version)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (attempt_id) DO NOTHING
    """

  private static func insert(_ opened: AttemptOpened, instance: String, in db: Database) throws {
    try execute(
      insertion,
      [
        opened.id.description, opened.completion.description, instance, Int64(clamping: opened.unixMilliseconds),
        opened.key, opened.route, opened.rule, opened.model, opened.provider, opened.endpoint,
        Int64(opened.attempt), opened.reason.name, opened.streamed, Int64(clamping: opened.promptBytes),
        Int64(bitPattern: opened.priceVersion),
      ], in: db)
  }

  private static let settlement = """
    UPDATE attempts SET outcome = ?, failure = ?, status = ?, final = ?, input_tokens = ?, cached_input_tokens = ?,
      cache_write_tokens = ?, output_tokens = ?, reasoning_tokens = ?, observed_output_tokens = ?, input_source = ?,
      output_source = ?, cost_nanousd = ?, price_version = ?, ttft_us = ?, duration_us = ?, flags = ?
    WHERE attempt_id = ? AND outcome IS NULL
    RETURNING completion_id, time_ms, key, route, rule, model, provider, endpoint, attempt, reason, streamed, prompt_bytes
    """

  private static func settle(_ settled: AttemptSettled, instance: String, in db: Database) throws -> UsageRecord? {
    if let record = try update(with: settled, in: db) { return record }
    let id = settled.id.description
    let exists = try Bool.fetchOne(
      db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM attempts WHERE attempt_id = ?)"), arguments: [id])
    guard exists != true else { return nil }
    // Its open record was lost with a damaged segment: what it consumed is kept, without names.
    let opened = AttemptOpened(id: settled.id, completion: settled.id, unixMilliseconds: settled.id.unixMilliseconds)
    try insert(opened, instance: instance, in: db)
    var flagged = settled
    flagged.flags.insert(.openMissing)
    return try update(with: flagged, in: db)
  }

  /// Nil when there is no open row of that id.
  private static func update(with settled: AttemptSettled, in db: Database) throws -> UsageRecord? {
    let usage = settled.usage
    let values: [(any DatabaseValueConvertible)?] = [
      settled.outcome.name, settled.failure.name, settled.httpStatus.map { Int64($0) }, settled.isFinal,
      usage.input, usage.cachedInput, usage.cacheWrite, usage.output, usage.reasoning, settled.observedOutput,
      settled.inputSource.name, settled.outputSource.name, settled.cost, Int64(bitPattern: settled.priceVersion),
      settled.timeToFirstToken.map { Int64(clamping: $0) }, Int64(clamping: settled.duration),
      Int64(settled.flags.rawValue), settled.id.description,
    ]
    let statement = try db.cachedStatement(sql: settlement)
    guard let row = try Row.fetchOne(statement, arguments: StatementArguments(values)) else { return nil }
    var opened = AttemptOpened(
      id: settled.id, completion: RecordID(row[0] as String) ?? settled.id,
      unixMilliseconds: UInt64(clamping: row[1] as Int64))
    opened.key = row[2]
    opened.route = row[3]
    opened.rule = row[4]
    opened.model = row[5]
    opened.provider = row[6]
    opened.endpoint = row[7]
    opened.attempt = UInt16(clamping: row[8] as Int64)
    let reason: String = row[9]
    opened.reason = AttemptReason.allCases.first { $0.name == reason } ?? .first
    opened.streamed = row[10]
    opened.promptBytes = UInt64(clamping: row[11] as Int64)
    opened.priceVersion = settled.priceVersion
    return UsageRecord(opened: opened, settled: settled)
  }
}
