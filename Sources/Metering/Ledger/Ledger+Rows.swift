import GRDB

/// Reading single rows.
extension Ledger {
  /// The attempts that match, newest first.
  public func rows(_ filter: LedgerFilter = LedgerFilter()) throws -> [LedgerRow] {
    try LedgerError.converting("read the ledger") {
      try pool.read { db in
        let condition = filter.condition
        var sql = "SELECT * FROM attempts\(condition.sql) ORDER BY time_ms DESC, attempt_id DESC"
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
    add("time_ms >= ?", since)
    add("time_ms < ?", until)
    add("key = ?", key)
    add("route = ?", route)
    add("model = ?", model)
    add("provider = ?", provider)
    add("completion_id = ?", completion?.description)
    return (terms.isEmpty ? "" : " WHERE " + terms.joined(separator: " AND "), arguments)
  }
}

extension LedgerRow {
  fileprivate init(_ row: Row) {
    let key: String = row["key"]
    let rule: String = row["rule"]
    attemptID = row["attempt_id"]
    completionID = row["completion_id"]
    unixMilliseconds = row["time_ms"]
    self.key = key.isEmpty ? nil : key
    route = row["route"]
    self.rule = rule.isEmpty ? nil : rule
    model = row["model"]
    provider = row["provider"]
    endpoint = row["endpoint"]
    attempt = row["attempt"]
    reason = row["reason"]
    streamed = row["streamed"]
    promptBytes = row["prompt_bytes"]
    inputTokens = row["input_tokens"]
    cachedInputTokens = row["cached_input_tokens"]
    cacheWriteTokens = row["cache_write_tokens"]
    outputTokens = row["output_tokens"]
    reasoningTokens = row["reasoning_tokens"]
    observedOutputTokens = row["observed_output_tokens"]
    inputSource = row["input_source"]
    outputSource = row["output_source"]
    costNanoUSD = row["cost_nanousd"]
    priceVersion = UInt64(bitPattern: row["price_version"] as Int64)
    timeToFirstToken = row["ttft_us"]
    duration = row["duration_us"]
    outcome = row["outcome"] as String? ?? "open"
    failure = row["failure"]
    httpStatus = row["status"]
    isFinal = row["final"]
    flags = UsageFlags(rawValue: UInt16(truncatingIfNeeded: row["flags"] as Int64))
  }
}
