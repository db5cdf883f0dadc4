import GRDB

extension Ledger {
  /// One step per version of the schema; a step that was released is never changed.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { db in
      // outcome NULL: the attempt is open. Counts NULL: unknown. Times: time_ms is Unix, the others are microseconds.
      try db.execute(
        sql: """
          CREATE TABLE attempts (
            attempt_id TEXT PRIMARY KEY NOT NULL,
            completion_id TEXT NOT NULL,
            instance TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            key TEXT NOT NULL,
            route TEXT NOT NULL,
            rule TEXT NOT NULL,
            model TEXT NOT NULL,
            provider TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            reason TEXT NOT NULL,
            streamed INTEGER NOT NULL,
            prompt_bytes INTEGER NOT NULL,
            price_version INTEGER NOT NULL,
            outcome TEXT,
            failure TEXT,
            status INTEGER,
            final INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER,
            cached_input_tokens INTEGER,
            cache_write_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            observed_output_tokens INTEGER,
            input_source TEXT NOT NULL DEFAULT 'unknown',
            output_source TEXT NOT NULL DEFAULT 'unknown',
            cost_nanousd INTEGER,
            ttft_us INTEGER,
            duration_us INTEGER,
            flags INTEGER NOT NULL DEFAULT 0
          ) STRICT, WITHOUT ROWID;
          CREATE INDEX attempts_by_time ON attempts (time_ms);
          CREATE INDEX attempts_by_completion ON attempts (completion_id);
          CREATE INDEX attempts_open ON attempts (instance) WHERE outcome IS NULL;
          CREATE TABLE journal_progress (
            instance TEXT NOT NULL,
            segment TEXT NOT NULL,
            offset INTEGER NOT NULL,
            PRIMARY KEY (instance, segment)
          ) STRICT, WITHOUT ROWID;
          """)
    }
    return migrator
  }
}
