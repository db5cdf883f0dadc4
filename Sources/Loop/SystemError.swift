#if canImport(Glibc)
  import Glibc
#endif

/// A failed system call: its name and errno.
public struct SystemError: Error, CustomStringConvertible, Equatable {
  public let call: String
  public let code: Int32

  public init(call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  public var description: String { "\(call): \(String(cString: strerror(code)))" }
}
