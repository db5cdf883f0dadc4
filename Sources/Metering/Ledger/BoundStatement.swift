import GRDB
import GRDBSQLite

/// A statement of GRDB's that is bound and stepped by SQLite's own calls: a few nanoseconds per value where boxed
/// arguments cost hundreds. For one transaction; the only file with SQLite's pointers.
struct BoundStatement: ~Copyable {
  private let statement: Statement
  private let handle: OpaquePointer
  private let ids: UnsafeMutableBufferPointer<UInt8>
  private var column: Int32 = 0
  private var idCount = 0

  /// At most `idLimit` ids are bound at a time.
  init(_ sql: String, in db: Database, idLimit: Int = 4) throws {
    statement = try db.cachedStatement(sql: sql)
    handle = statement.sqliteStatement
    ids = .allocate(capacity: 16 * idLimit)
  }

  deinit {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
    ids.deallocate()
  }

  // MARK: Binding, from the first parameter on

  mutating func bind(_ value: Int64) {
    column += 1
    sqlite3_bind_int64(handle, column, value)
  }

  /// Nil is NULL.
  mutating func bind(_ value: Int64?) {
    if let value { return bind(value) }
    column += 1
    sqlite3_bind_null(handle, column)
  }

  mutating func bind(_ value: Bool) { bind(value ? 1 : 0 as Int64) }

  mutating func bind(_ value: some BinaryInteger) { bind(Int64(clamping: value)) }

  mutating func bind(_ id: RecordID) {
    precondition(16 * (idCount + 1) <= ids.count)
    let place = UnsafeMutableRawBufferPointer(ids)
    place.storeBytes(of: id.high.bigEndian, toByteOffset: 16 * idCount, as: UInt64.self)
    place.storeBytes(of: id.low.bigEndian, toByteOffset: 16 * idCount + 8, as: UInt64.self)
    column += 1
    // No destructor: the bytes stay where they are until the statement was reset.
    sqlite3_bind_blob(handle, column, place.baseAddress.map { $0 + 16 * idCount }, 16, nil)
    idCount += 1
  }

  // MARK: Running

  /// Runs to the end. Returns how many rows it changed.
  mutating func run() throws -> Int {
    while try step() {}
    let changes = sqlite3_changes(sqlite3_db_handle(handle))
    reset()
    return Int(changes)
  }

  /// Whether there is a row. Go on until there is none, or `reset`.
  mutating func step() throws -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    case let code:
      let message = String(cString: sqlite3_errmsg(sqlite3_db_handle(handle)))
      reset()
      throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message)
    }
  }

  /// Makes it ready for the next values.
  mutating func reset() {
    sqlite3_reset(handle)
    column = 0
    idCount = 0
  }

  // MARK: Reading the row, columns from 0 on

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  /// Nil when the column is no id.
  func id(_ column: Int32) -> RecordID? {
    guard let bytes = sqlite3_column_blob(handle, column), sqlite3_column_bytes(handle, column) == 16
    else { return nil }
    let high = bytes.loadUnaligned(as: UInt64.self)
    let low = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    return RecordID(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
  }
}
