/// Why a simulator did not start.
public enum SimulatorError: Error, CustomStringConvertible, Equatable {
  /// A provider's name or pace cannot be used; the text says what to write instead.
  case provider(String)
  /// The address could not be listened on, or the log not opened: what was tried, and why it failed.
  case system(String)

  public var description: String {
    switch self {
    case .provider(let text), .system(let text): text
    }
  }
}
