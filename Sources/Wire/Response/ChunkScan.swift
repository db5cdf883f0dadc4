/// What the relay needs of one chunk of a streamed answer, or of a whole answer that was not streamed; read in one
/// pass that also checks the grammar. Offsets point into the bytes that were scanned.
public struct ChunkScan: Sendable {
  /// How deeply a chunk may nest.
  public static let depthLimit = 64

  /// Top-level values; of a key that is there twice, the last.
  public internal(set) var id: Range<Int>?
  public internal(set) var created: Range<Int>?
  public internal(set) var model: Range<Int>?
  public internal(set) var provider: Range<Int>?
  public internal(set) var object: Range<Int>?
  /// The value of `usage`, also when it is null or invalid.
  public internal(set) var usageRange: Range<Int>?
  /// The value of `error`, when it is not null; or a text `message` where there are no `choices`: so vLLM, and engines
  /// that send `event: error`, say that they failed.
  public internal(set) var error: Range<Int>?
  /// The offset of the opening brace.
  public internal(set) var openingBrace = 0
  /// Whether the object has no members.
  public internal(set) var isEmpty = true

  /// How many choices the chunk has; nil when there is no `choices`, or null.
  public internal(set) var choiceCount: Int?
  /// How many choices got content by this chunk: text, reasoning, tool calls, anything besides the role.
  public internal(set) var contentChoices = 0
  /// The indexes of the choices in this chunk.
  public internal(set) var seen = ChoiceSet()
  /// The indexes of the choices that have a `finish_reason` in this chunk.
  public internal(set) var finished = ChoiceSet()
  /// The last `finish_reason` in this chunk; `error` goes before all others.
  public internal(set) var finishReason: FinishReason?

  /// Whether the chunk holds reasoning that only its maker accepts back.
  public internal(set) var hasSignature = false
  /// Whether any choice got text: a `content` or `text` that is a string and not empty.
  public var hasText: Bool { text != nil }
  /// Whether any choice got a piece of a tool call (`tool_calls`, or the old `function_call`).
  public internal(set) var hasToolCalls = false
  /// Whether any choice got reasoning (`reasoning`, `reasoning_content`, `reasoning_details`, `thinking`,
  /// `thinking_blocks`).
  public internal(set) var hasReasoning = false
  /// Whether any choice got content of yet another kind: audio, a refusal, parts; or more than one text came.
  var hasOtherContent = false
  /// Where the text stands, without its quotes; of several the first.
  var text: Range<Int>?
  /// Whether what the chunk says is one text of the first choice and nothing else.
  public var isPlainText: Bool {
    text != nil && !hasToolCalls && !hasReasoning && !hasOtherContent && seen.count == 1 && seen.contains(0)
  }

  /// The counts of `usage`, if they are all valid and one of them is of input or output tokens.
  public internal(set) var usage: TokenUsage?
  /// Whether `usage` is there and holds a count that cannot be: negative, no integer, above 2^53, text.
  public internal(set) var usageIsInvalid = false
  /// `usage`, when it is an object.
  var usageObject: UsageObject?

  /// Whether any choice got content by this chunk.
  public var hasContent: Bool { contentChoices > 0 }
  public var hasFinishReason: Bool { finishReason != nil }

  init() {}

  /// Scans one event's data, or one response body.
  public static func scan(_ data: Span<UInt8>) throws(ChunkError) -> ChunkScan {
    try data.withJSONBytes { (bytes) throws(ChunkError) in
      var scan = ChunkScan()
      do throws(JSONFault) { try scan.read(bytes) } catch { throw ChunkError(error) }
      return scan
    }
  }

  /// Whether an event's data is the end mark `[DONE]`, whatever blank stands around it.
  public static func isDone(_ data: Span<UInt8>) -> Bool {
    data.withJSONBytes { bytes in
      let first = bytes.blankEnd(from: 0)
      return bytes.count - first >= 6 && bytes.equals(first..<first + 6, "[DONE]")
        && bytes.blankEnd(from: first + 6) == bytes.count
    }
  }

  private mutating func read(_ bytes: JSONBytes) throws(JSONFault) {
    var cursor = JSONCursor(bytes, depthLimit: Self.depthLimit)
    _ = try cursor.peek()
    openingBrace = cursor.position
    guard try cursor.openObject() else { return try cursor.finish() }
    isEmpty = false
    var message: Range<Int>?
    repeat {
      let key = try cursor.key()
      switch Key(cursor, key) {
      case .id: id = try cursor.value().range
      case .created: created = try cursor.value().range
      case .model: model = try cursor.value().range
      case .provider: provider = try cursor.value().range
      case .object: object = try cursor.value().range
      case .usage: try readUsage(&cursor)
      case .choices: try readChoices(&cursor)
      case .error:
        let (kind, range) = try cursor.value()
        error = kind == .null ? nil : range
      case .message:
        let (kind, range) = try cursor.value()
        message = kind == .string ? range : nil
      case .other: _ = try cursor.value()
      }
    } while try cursor.hasNextMember()
    if let message, error == nil, choiceCount == nil { error = message }
    try cursor.finish()
  }

  private mutating func readUsage(_ cursor: inout JSONCursor) throws(JSONFault) {
    usage = nil
    usageObject = nil
    usageIsInvalid = false
    guard try cursor.peek() == UInt8(ascii: "{") else {
      let (kind, range) = try cursor.value()
      usageRange = range
      usageIsInvalid = kind != .null
      return
    }
    let object = try UsageObject(&cursor)
    usageRange = object.range
    usageObject = object
    usageIsInvalid = object.isInvalid
    let isCount = !object.isInvalid && (object.usage.input != nil || object.usage.output != nil)
    usage = isCount ? object.usage : nil
  }

  /// The top-level keys that are looked at.
  private enum Key {
    case id, created, model, provider, object, usage, error, choices, message, other

    @inline(__always)
    init(_ cursor: JSONCursor, _ key: JSONCursor.Key) {
      switch key.isEscaped ? -1 : key.range.count {
      case 2: self = cursor.matches(key, "id") ? .id : .other
      case 5:
        self =
          cursor.matches(key, "model")
          ? .model : cursor.matches(key, "usage") ? .usage : cursor.matches(key, "error") ? .error : .other
      case 6: self = cursor.matches(key, "object") ? .object : .other
      case 7:
        self =
          cursor.matches(key, "choices")
          ? .choices : cursor.matches(key, "created") ? .created : cursor.matches(key, "message") ? .message : .other
      case 8: self = cursor.matches(key, "provider") ? .provider : .other
      case -1: self.init(escaped: JSONUnescaped(cursor.bytes, key.range))
      default: self = .other
      }
    }

    private init(escaped key: JSONUnescaped) {
      let names: [(StaticString, Key)] = [
        ("id", .id), ("created", .created), ("model", .model), ("provider", .provider), ("object", .object),
        ("usage", .usage), ("error", .error), ("choices", .choices), ("message", .message),
      ]
      self = names.first { key.equals($0.0) }?.1 ?? .other
    }
  }
}
