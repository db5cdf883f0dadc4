import GRDB

extension Ledger {
  /// One step per version of the schema; a step that was released is never changed.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { db in
      // Ids are the 16 bytes of the UUID. Words are the numbers of their Swift enumerations, which are journal format.
      // lane is a row of lanes, without a constraint that would be looked up for each attempt.
      // outcome NULL: the attempt is open, and instance is whose journal will settle it. Counts NULL: unknown.
      // Times: time_ms is Unix, the others are microseconds. The primary key ascends with time: no index on time_ms.
      try db.execute(
        sql: """
          CREATE TABLE lanes (
            lane INTEGER PRIMARY KEY NOT NULL,
            key TEXT NOT NULL,
            route TEXT NOT NULL,
            rule TEXT NOT NULL,
            model TEXT NOT NULL,
            provider TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            UNIQUE (key, route, rule, model, provider, endpoint)
          ) STRICT;
          CREATE TABLE attempts (
            attempt_id BLOB PRIMARY KEY NOT NULL,
            completion_id BLOB NOT NULL,
            instance BLOB,
            time_ms INTEGER NOT NULL,
            lane INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            reason INTEGER NOT NULL,
            streamed INTEGER NOT NULL,
            prompt_bytes INTEGER NOT NULL,
            price_version INTEGER NOT NULL,
            outcome INTEGER,
            failure INTEGER,
            status INTEGER,
            final INTEGER NOT NULL DEFAULT 0,
            input_tokens INTEGER,
            cached_input_tokens INTEGER,
            cache_write_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            observed_output_tokens INTEGER,
            input_source INTEGER NOT NULL DEFAULT 0,
            output_source INTEGER NOT NULL DEFAULT 0,
            cost_nanousd INTEGER,
            ttft_us INTEGER,
            duration_us INTEGER,
            flags INTEGER NOT NULL DEFAULT 0
          ) STRICT, WITHOUT ROWID;
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
