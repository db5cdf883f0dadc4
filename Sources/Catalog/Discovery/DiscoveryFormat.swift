/// In which shape a provider's own list of models is to be read.
public enum DiscoveryFormat: String, Sendable, CaseIterable {
  /// By what each entry looks like.
  case auto
  /// OpenRouter's provider schema 2.4, its legacy flat form, or OpenRouter's own `/models`.
  case openrouter
  /// `/models` of OpenAI and vLLM.
  case openai
  /// Both of io.net's: the one with `model_id` and `metadata`, and the older one, which is OpenAI's.
  case ioNet = "io-net"
  /// OpenRouter's `/models/{author}/{slug}/endpoints`: each of its endpoints on its own.
  case endpoints
}
