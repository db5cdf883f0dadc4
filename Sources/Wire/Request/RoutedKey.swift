/// The top-level keys of a request that decide where it goes, what it may cost and who pays. Each may be there once,
/// and in one spelling only: an engine that reads keys in another way must not see another request than we did.
enum RoutedKey: UInt8, CaseIterable {
  case model, stream, streamOptions, messages, prompt, choices, maxTokens, maxCompletionTokens
  case models, provider, route, sessionID, user, tools, serviceTier, preset, promptCacheKey, responseFormat

  var name: StaticString {
    switch self {
    case .model: "model"
    case .stream: "stream"
    case .streamOptions: "stream_options"
    case .messages: "messages"
    case .prompt: "prompt"
    case .choices: "n"
    case .maxTokens: "max_tokens"
    case .maxCompletionTokens: "max_completion_tokens"
    case .models: "models"
    case .provider: "provider"
    case .route: "route"
    case .sessionID: "session_id"
    case .user: "user"
    case .tools: "tools"
    case .serviceTier: "service_tier"
    case .preset: "preset"
    case .promptCacheKey: "prompt_cache_key"
    case .responseFormat: "response_format"
    }
  }

  /// Whether it speaks to the router alone, and is cut out of what a provider gets.
  var isForRouterOnly: Bool {
    switch self {
    case .models, .provider, .route, .sessionID, .preset: true
    default: false
    }
  }

  /// How a key that a client wrote relates to a routed one.
  enum Match { case none, exact(RoutedKey), ambiguous(RoutedKey) }

  static func match(_ bytes: JSONBytes, _ key: Range<Int>, isPlain: Bool) -> Match {
    for routed in allCases {
      let name = routed.name
      // An escaped or non-ASCII key may be shorter when read; a plain one has the length of what it matches.
      if isPlain, key.count != name.utf8CodeUnitCount { continue }
      if isPlain ? bytes.equals(key, name) : JSONUnescaped(bytes, key).equals(name) { return .exact(routed) }
      if JSONUnescaped(bytes, key).equalsFolded(name) { return .ambiguous(routed) }
    }
    return .none
  }
}
