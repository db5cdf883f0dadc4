import FoundationEssentials
import GRDB

/// Writing.
extension Ledger {
  /// Commits a batch with its progress in one transaction. Adds the attempts that it settled to `settled`, each joined to
  /// its open record; none that were settled before.
  func fold(_ batch: borrowing FoldBatch, into settled: inout [UsageRecord]) throws {
    do {
      try write(batch, oneByOne: false, &settled)
    } catch is AttemptWriter.Overlap {
      try write(batch, oneByOne: true, &settled)
    }
  }

  private func write(_ batch: borrowing FoldBatch, oneByOne: Bool, _ settled: inout [UsageRecord]) throws {
    let count = settled.count
    do {
      try LedgerError.converting("fold the journal") {
        try pool.write { db in
          var writer = try AttemptWriter(instance: batch.instance, in: db)
          try writer.write(batch, oneByOne: oneByOne, settled: &settled)
          try Self.store(batch.offsets, forget: batch.forgotten, of: batch.instance, in: db)
        }
      }
    } catch {
      settled.removeLast(settled.count - count)
      // The rows of new lanes are gone with the transaction.
      for attempt in batch.attempts { attempt.open.lane.number = nil }
      throw error
    }
  }

  private static func store(
    _ offsets: [SegmentName: Int], forget forgotten: [SegmentName], of instance: RecordID, in db: Database
  ) throws {
    let instance = instance.description
    for (segment, offset) in offsets {
      try execute(
        "INSERT OR REPLACE INTO journal_progress (instance, segment, offset) VALUES (?, ?, ?)",
        [instance, segment.description, offset], in: db)
    }
    for segment in forgotten {
      try execute(
        "DELETE FROM journal_progress WHERE instance = ? AND segment = ?", [instance, segment.description], in: db)
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
            UPDATE attempts SET outcome = ?, failure = ?, instance = NULL, final = NOT EXISTS (
              SELECT 1 FROM attempts AS other WHERE other.completion_id = attempts.completion_id
              AND (other.final = 1 OR other.attempt > attempts.attempt))
            WHERE instance = ? AND outcome IS NULL
            """, arguments: [Outcome.interrupted.rawValue, failure.rawValue, instance.blob])
        let closed = db.changesCount
        try Self.execute("DELETE FROM journal_progress WHERE instance = ?", [instance.description], in: db)
        return closed
      }
    }
  }

  /// Instances that have open attempts or progress.
  func unfinishedInstances() throws -> [RecordID] {
    try LedgerError.converting("read open attempts") {
      try pool.read { db in
        let open = try Data.fetchAll(db, sql: "SELECT DISTINCT instance FROM attempts WHERE outcome IS NULL")
        let folding = try String.fetchAll(db, sql: "SELECT DISTINCT instance FROM journal_progress")
        return Set(open.compactMap { RecordID(blob: $0) } + folding.compactMap { RecordID($0) }).sorted()
      }
    }
  }

  private static func execute(_ sql: String, _ values: [any DatabaseValueConvertible], in db: Database) throws {
    let statement = try db.cachedStatement(sql: sql)
    try statement.execute(arguments: StatementArguments(values))
  }
}
