/// Which inference endpoint a body was posted to.
public enum RequestKind: Sendable {
  /// `POST /v1/chat/completions`.
  case chatCompletions
  /// `POST /v1/completions`.
  case completions
}
