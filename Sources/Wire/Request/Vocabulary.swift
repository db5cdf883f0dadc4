/// How coarsely an endpoint's weights are stored (OpenRouter's `quantizations`).
public enum Quantization: String, Sendable, CaseIterable {
  case int4, int8, fp4, mxfp4, nvfp4, fp6, fp8, mxfp8, fp16, bf16, fp32, unknown

  /// Whether a request that asks for `wanted` may use this: `fp4` includes `mxfp4` and `nvfp4`, `fp8` includes `mxfp8`.
  public func satisfies(_ wanted: Set<Quantization>) -> Bool {
    if wanted.isEmpty || wanted.contains(self) { return true }
    switch self {
    case .mxfp4, .nvfp4: return wanted.contains(.fp4)
    case .mxfp8: return wanted.contains(.fp8)
    default: return false
    }
  }
}

/// Which class of service is asked for, or sold by an endpoint. `fast` is another name of `priority`.
public enum ServiceTier: String, Sendable, CaseIterable {
  case auto, `default`, flex, priority, scale
}

/// Members of a request that an endpoint may support or not (OpenRouter's `supported_parameters`).
public struct ParameterSet: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The members by their names in a request, in the order of their bits. `structured_outputs` stands for a
  /// `response_format` of type `json_schema`; `response_format` for one of type `json_object`.
  public static let names: [String] = [
    "temperature", "top_p", "top_k", "min_p", "top_a", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "max_tokens", "max_completion_tokens", "logit_bias", "logprobs", "top_logprobs", "prediction", "seed",
    "response_format", "structured_outputs", "stop", "tools", "tool_choice", "parallel_tool_calls", "reasoning",
    "reasoning_effort", "include_reasoning", "web_search_options", "verbosity",
  ]

  /// `max_tokens` and `max_completion_tokens`.
  public static let outputLimits = ParameterSet(rawValue: 1 << 8 | 1 << 9)
  public static let responseFormat = ParameterSet(rawValue: 1 << 15)
  public static let structuredOutputs = ParameterSet(rawValue: 1 << 16)
  public static let tools = ParameterSet(rawValue: 1 << 18)
  public static let toolChoice = ParameterSet(rawValue: 1 << 19)

  /// The parameter of this name; `nil` for a name that is none.
  public init?(name: String) {
    guard let bit = Self.names.firstIndex(of: name) else { return nil }
    self.init(rawValue: 1 << UInt32(bit))
  }

  /// The names in this set.
  public var listed: [String] {
    Self.names.indices.filter { rawValue & (1 << UInt32($0)) != 0 }.map { Self.names[$0] }
  }
}

/// What a request's messages are made of beside text.
public struct InputModalities: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let image = InputModalities(rawValue: 1)
  public static let audio = InputModalities(rawValue: 2)
  public static let file = InputModalities(rawValue: 4)
  public static let video = InputModalities(rawValue: 8)

  /// The modality of this name; `text` is the empty set, `nil` for a name that is none.
  public init?(name: String) {
    switch name {
    case "text": self = []
    case "image": self = .image
    case "audio": self = .audio
    case "file": self = .file
    case "video": self = .video
    default: return nil
    }
  }

  public var listed: [String] {
    [("image", Self.image), ("audio", .audio), ("file", .file), ("video", .video)].filter { contains($0.1) }.map(\.0)
  }
}

/// Who a conversation is, by what stays the same in all its turns; markers that slide from turn to turn
/// (`cache_control`, `prompt_cache_breakpoint`) are left out.
public struct ConversationHash: Sendable, Equatable {
  /// Of `tools` and the leading system and developer messages: what many conversations of one agent share.
  public var sharedPrefix: UInt64
  /// Of all that and the first other message.
  public var conversation: UInt64
  /// How long `tools` and the leading system messages are, in bytes as sent.
  public var sharedPrefixBytes: Int

  public init(sharedPrefix: UInt64, conversation: UInt64, sharedPrefixBytes: Int) {
    self.sharedPrefix = sharedPrefix
    self.conversation = conversation
    self.sharedPrefixBytes = sharedPrefixBytes
  }
}
