import GRDB

/// The ledger could not be read or written. Nothing is lost by it: what is not committed stays in the journals.
public struct LedgerError: Error, CustomStringConvertible {
  /// What was tried, as in "fold the journal".
  public var operation: String
  public var reason: String

  public var description: String { "cannot \(operation): \(reason)" }

  /// Runs `body`; an error of the database comes out as a `LedgerError`.
  static func converting<Result>(_ operation: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as DatabaseError {
      let reason = error.message ?? "\(error.resultCode)"
      throw LedgerError(operation: operation, reason: "SQLite \(error.extendedResultCode.rawValue): \(reason)")
    }
  }
}
