import Glibc

/// A file operation of the journal that the system refused.
public struct JournalError: Error, Equatable, CustomStringConvertible {
  /// What was tried, as in "open".
  public var operation: String
  public var path: String
  /// The system's error number.
  public var code: Int32

  init(_ operation: String, _ path: String, code: Int32 = errno) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  public var description: String {
    let reason = String(cString: strerror(code))
    return "cannot \(operation) \(path): \(reason). Check the owner, permissions and space of the data directory."
  }
}
