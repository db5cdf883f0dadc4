import GRDB

/// Reading single rows.
extension Ledger {
  /// The attempts that match, newest first.
  public func rows(_ filter: LedgerFilter = LedgerFilter()) throws -> [LedgerRow] {
    try LedgerError.converting("read the ledger") {
      try pool.read { db in
        let condition = filter.condition
        // CROSS: the attempts are walked, each lane is looked up.
        var sql = """
          SELECT * FROM attempts CROSS JOIN lanes USING (lane)\(condition.sql) ORDER BY attempt_id DESC
          """
        if let limit = filter.limit { sql += " LIMIT \(max(0, limit))" }
        let cursor = try Row.fetchCursor(db, sql: sql, arguments: condition.arguments)
        var rows: [LedgerRow] = []
        while let row = try cursor.next() { rows.append(LedgerRow(row)) }
        return rows
      }
    }
  }
}

extension LedgerFilter {
  /// The `WHERE` clause, with a space before it, or nothing.
  var condition: (sql: String, arguments: StatementArguments) {
    var terms: [String] = []
    var arguments = StatementArguments()
    func add(_ term: String, _ value: (some DatabaseValueConvertible)?) {
      guard let value else { return }
      terms.append(term)
      arguments += [value]
    }
    func add(lane column: String, _ value: String?) {
      add("lane IN (SELECT lane FROM lanes WHERE \(column) = ?)", value)
    }
    // Ids ascend with time. The hour is for an attempt whose id was made before its time was read.
    add("attempt_id >= ?", since.map { RecordID(floorOfUnixMilliseconds: max(0, $0) - 3_600_000).blob })
    add("time_ms >= ?", since)
    add("time_ms < ?", until)
    add(lane: "key", key)
    add(lane: "route", route)
    add(lane: "model", model)
    add(lane: "provider", provider)
    add("completion_id = ?", completion?.blob)
    return (terms.isEmpty ? "" : " WHERE " + terms.joined(separator: " AND "), arguments)
  }
}

extension LedgerRow {
  fileprivate init(_ row: Row) {
    let key: String = row["key"]
    let rule: String = row["rule"]
    attemptID = RecordID(blob: row["attempt_id"])?.description ?? ""
    completionID = RecordID(blob: row["completion_id"])?.description ?? ""
    unixMilliseconds = row["time_ms"]
    self.key = key.isEmpty ? nil : key
    route = row["route"]
    self.rule = rule.isEmpty ? nil : rule
    model = row["model"]
    provider = row["provider"]
    endpoint = row["endpoint"]
    attempt = row["attempt"]
    reason = word(row["reason"], \AttemptReason.name) ?? "unknown"
    streamed = row["streamed"]
    promptBytes = row["prompt_bytes"]
    inputTokens = row["input_tokens"]
    cachedInputTokens = row["cached_input_tokens"]
    cacheWriteTokens = row["cache_write_tokens"]
    outputTokens = row["output_tokens"]
    reasoningTokens = row["reasoning_tokens"]
    observedOutputTokens = row["observed_output_tokens"]
    inputSource = word(row["input_source"], \TokenSource.name) ?? "unknown"
    outputSource = word(row["output_source"], \TokenSource.name) ?? "unknown"
    costNanoUSD = row["cost_nanousd"]
    priceVersion = UInt64(bitPattern: row["price_version"] as Int64)
    timeToFirstToken = row["ttft_us"]
    duration = row["duration_us"]
    outcome = word(row["outcome"], \Outcome.name) ?? "open"
    failure = word(row["failure"], \FailureClass.name)
    httpStatus = row["status"]
    isFinal = row["final"]
    flags = UsageFlags(rawValue: UInt16(truncatingIfNeeded: row["flags"] as Int64))
  }
}

/// The word of an enumeration's number in the ledger; nil for NULL.
private func word<Word: RawRepresentable<UInt8>>(_ number: Int64?, _ name: KeyPath<Word, String>) -> String? {
  number.flatMap { UInt8(exactly: $0) }.flatMap(Word.init(rawValue:)).map { $0[keyPath: name] }
}
