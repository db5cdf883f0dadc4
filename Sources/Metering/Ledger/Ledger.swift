import GRDB
import Glibc

/// The durable list of attempts: SQLite in the data directory, one row per attempt.
///
/// Any process may read it at any time; it is written by the `LedgerWriter` of a running router and by `Recovery`.
public final class Ledger: Sendable {
  static let fileName = "ledger.sqlite"

  let pool: DatabasePool

  /// Opens `DATA/ledger.sqlite`, makes it when it is not there (folder 0700, file 0600), and brings its schema up to date.
  /// Throws a `LedgerError` or `JournalError`.
  public init(dataDirectory: String) throws {
    try FileSystem.makeFolder(dataDirectory)
    let path = "\(dataDirectory)/\(Self.fileName)"
    // SQLite gives its -wal and -shm files the mode of the main file, so that is made first.
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw JournalError("open", path) }
    Glibc.close(file)

    pool = try LedgerError.converting("open \(path)") {
      var configuration = Configuration()
      configuration.busyMode = .timeout(5)
      configuration.maximumReaderCount = 2
      configuration.label = "ledger"
      let pool = try DatabasePool(path: path, configuration: configuration)
      // A segment is unlinked once its rows are committed, so a commit must survive a power loss.
      try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
      let migrator = Self.migrator
      guard try !pool.read({ try migrator.hasBeenSuperseded($0) }) else {
        throw LedgerError(
          operation: "open \(path)",
          reason: "a newer Pointsman wrote it. Use that version, or another --data directory.")
      }
      try migrator.migrate(pool)
      return pool
    }
  }

  /// Closes the database; what is asked of it afterwards fails.
  public func close() throws { try LedgerError.converting("close the ledger") { try pool.close() } }
}
