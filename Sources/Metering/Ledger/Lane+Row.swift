import GRDB

/// Lanes in the ledger: a row each, never removed.
extension Lane {
  /// Its number; the row is made when there is none. Kept in the lane, so forget it when the transaction fails.
  func number(in db: Database) throws -> Int64 {
    if let number { return number }
    let arguments = StatementArguments(names)
    let known = try Int64.fetchOne(
      db.cachedStatement(
        sql: """
          SELECT lane FROM lanes
          WHERE key = ? AND route = ? AND rule = ? AND model = ? AND provider = ? AND endpoint = ?
          """), arguments: arguments)
    if let known {
      number = known
      return known
    }
    try db.cachedStatement(
      sql: "INSERT INTO lanes (key, route, rule, model, provider, endpoint) VALUES (?, ?, ?, ?, ?, ?)"
    ).execute(arguments: arguments)
    number = db.lastInsertedRowID
    return db.lastInsertedRowID
  }

  /// The lane of that number.
  static func fetch(_ number: Int64, in db: Database) throws -> Lane? {
    let statement = try db.cachedStatement(
      sql: "SELECT key, route, rule, model, provider, endpoint FROM lanes WHERE lane = ?")
    return try Row.fetchOne(statement, arguments: [number]).map {
      Lane(key: $0[0], route: $0[1], rule: $0[2], model: $0[3], provider: $0[4], endpoint: $0[5])
    }
  }
}
