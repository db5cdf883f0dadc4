/// Why a choice ended, as its `finish_reason` says.
public enum FinishReason: Sendable, Equatable {
  case stop, length, toolCalls, contentFilter, error, other
}
