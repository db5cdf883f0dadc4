/// Why a stream of events cannot be read on.
public enum FramingError: Error, Sendable, Equatable {
  /// One event, or one line, is longer than this many bytes.
  case eventTooLong(limit: Int)
}
