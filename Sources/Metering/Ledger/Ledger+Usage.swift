import GRDB

/// Reading sums. Each answer is a fold over the rows, so it always agrees with them.
extension Ledger {
  /// Usage of the attempts that match, one group per value, in the order of the values. The filter's limit is not used.
  public func usage(by grouping: UsageGrouping, _ filter: LedgerFilter = LedgerFilter()) throws -> [UsageGroup] {
    try LedgerError.converting("read the ledger") {
      try pool.read { db in
        var groups = try Self.sums(by: grouping, filter, in: db)
        let first = try Self.percentiles(of: "ttft_us", by: grouping, filter, in: db)
        let whole = try Self.percentiles(of: "duration_us", by: grouping, filter, in: db)
        for index in groups.indices {
          groups[index].timeToFirstToken = first[groups[index].name] ?? Percentiles()
          groups[index].duration = whole[groups[index].name] ?? Percentiles()
        }
        return groups
      }
    }
  }

  private static func sums(
    by grouping: UsageGrouping, _ filter: LedgerFilter, in db: Database
  ) throws -> [UsageGroup] {
    let columns = [
      "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nanousd",
    ]
    let sums = columns.map {
      "coalesce(sum(\($0)), 0), coalesce(sum(outcome IS NOT NULL AND \($0) IS NULL), 0)"
    }
    let condition = filter.condition
    let cursor = try Row.fetchCursor(
      db,
      sql: """
        SELECT \(grouping.sql) AS name, sum(final), count(*), sum(outcome IS NULL), \(sums.joined(separator: ", "))
        FROM attempts\(condition.sql) GROUP BY 1 ORDER BY 1
        """, arguments: condition.arguments)
    var groups: [UsageGroup] = []
    while let row = try cursor.next() {
      func sum(_ index: Int) -> KnownSum { KnownSum(sum: row[4 + 2 * index], unknown: row[5 + 2 * index]) }
      var group = UsageGroup(name: row[0])
      group.requests = row[1]
      group.attempts = row[2]
      group.open = row[3]
      group.input = sum(0)
      group.cachedInput = sum(1)
      group.cacheWrite = sum(2)
      group.output = sum(3)
      group.reasoning = sum(4)
      group.cost = sum(5)
      groups.append(group)
    }
    return groups
  }

  private static func percentiles(
    of column: String, by grouping: UsageGrouping, _ filter: LedgerFilter, in db: Database
  ) throws -> [String: Percentiles] {
    let condition = filter.condition
    let known = condition.sql.isEmpty ? " WHERE \(column) IS NOT NULL" : "\(condition.sql) AND \(column) IS NOT NULL"
    // Nearest rank: the ⌈n·p⌉-th of n sorted values.
    let cursor = try Row.fetchCursor(
      db,
      sql: """
        SELECT name, min(value) FILTER (WHERE rank = (n + 1) / 2), min(value) FILTER (WHERE rank = (n * 9 + 9) / 10)
        FROM (
          SELECT \(grouping.sql) AS name, \(column) AS value,
            row_number() OVER (PARTITION BY \(grouping.sql) ORDER BY \(column)) AS rank,
            count(*) OVER (PARTITION BY \(grouping.sql)) AS n
          FROM attempts\(known))
        GROUP BY name
        """, arguments: condition.arguments)
    var result: [String: Percentiles] = [:]
    while let row = try cursor.next() { result[row[0]] = Percentiles(p50: row[1], p90: row[2]) }
    return result
  }
}
