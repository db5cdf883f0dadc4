import FoundationEssentials
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
        let names = try Self.names(of: groups.map(\.number), by: grouping, in: db)
        for index in groups.indices {
          let number = groups[index].number
          groups[index].group.name = names[number] ?? ""
          groups[index].group.timeToFirstToken = first[number] ?? Percentiles()
          groups[index].group.duration = whole[number] ?? Percentiles()
        }
        return groups.map(\.group).sorted { $0.name < $1.name }
      }
    }
  }

  private static func sums(
    by grouping: UsageGrouping, _ filter: LedgerFilter, in db: Database
  ) throws -> [(number: Int64, group: UsageGroup)] {
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
        \(grouping.lanes.with)
        SELECT \(grouping.number), sum(final), count(*), sum(outcome IS NULL), \(sums.joined(separator: ", "))
        FROM attempts\(grouping.lanes.join)\(condition.sql) GROUP BY 1
        """, arguments: condition.arguments)
    var groups: [(number: Int64, group: UsageGroup)] = []
    while let row = try cursor.next() {
      func sum(_ index: Int) -> KnownSum { KnownSum(sum: row[4 + 2 * index], unknown: row[5 + 2 * index]) }
      var group = UsageGroup(name: "")
      group.requests = row[1]
      group.attempts = row[2]
      group.open = row[3]
      group.input = sum(0)
      group.cachedInput = sum(1)
      group.cacheWrite = sum(2)
      group.output = sum(3)
      group.reasoning = sum(4)
      group.cost = sum(5)
      groups.append((row[0], group))
    }
    return groups
  }

  private static func percentiles(
    of column: String, by grouping: UsageGrouping, _ filter: LedgerFilter, in db: Database
  ) throws -> [Int64: Percentiles] {
    let condition = filter.condition
    let known = condition.sql.isEmpty ? " WHERE \(column) IS NOT NULL" : "\(condition.sql) AND \(column) IS NOT NULL"
    // Nearest rank: the ⌈n·p⌉-th of n sorted values.
    let cursor = try Row.fetchCursor(
      db,
      sql: """
        \(grouping.lanes.with)
        SELECT number, min(value) FILTER (WHERE rank = (n + 1) / 2), min(value) FILTER (WHERE rank = (n * 9 + 9) / 10)
        FROM (
          SELECT \(grouping.number) AS number, \(column) AS value,
            row_number() OVER (PARTITION BY \(grouping.number) ORDER BY \(column)) AS rank,
            count(*) OVER (PARTITION BY \(grouping.number)) AS n
          FROM attempts\(grouping.lanes.join)\(known))
        GROUP BY number
        """, arguments: condition.arguments)
    var result: [Int64: Percentiles] = [:]
    while let row = try cursor.next() { result[row[0]] = Percentiles(p50: row[1], p90: row[2]) }
    return result
  }

  /// The names of groups.
  private static func names(
    of numbers: [Int64], by grouping: UsageGrouping, in db: Database
  ) throws -> [Int64: String] {
    var names: [Int64: String] = [:]
    for number in numbers {
      names[number] =
        switch grouping {
        case .day: try String.fetchOne(db, sql: "SELECT date(? * 86400, 'unixepoch')", arguments: [number])
        case .outcome: UInt8(exactly: number).flatMap(Outcome.init(rawValue:))?.name ?? "open"
        case .route, .model, .provider, .endpoint, .key:
          try String.fetchOne(db, sql: "SELECT \(grouping.rawValue) FROM lanes WHERE lane = ?", arguments: [number])
        }
    }
    return names
  }
}
