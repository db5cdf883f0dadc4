/// One mistake (or doubtful thing) in routes.yaml: where, what, and what to write instead. It never holds a secret.
public struct Diagnostic: Sendable, Equatable {
  public enum Severity: String, Sendable {
    /// The file cannot be used.
    case error
    /// The file can be used.
    case warning
  }

  /// The name of the file as it was passed in.
  public let file: String
  /// From 1.
  public let line: Int
  /// From 1, in Unicode scalars.
  public let column: Int
  public let severity: Severity
  public let message: String

  public init(file: String, line: Int, column: Int, severity: Severity, message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.severity = severity
    self.message = message
  }
}

extension Diagnostic: CustomStringConvertible {
  /// As compilers print it: `routes.yaml:12:7: error: …`.
  public var description: String {
    "\(file):\(line):\(column): \(severity.rawValue): \(message)"
  }
}
