/// What an answer is worth to a client that works with tools or with JSON. Judged behind the request path, from copies of
/// the bytes.
///
/// The faults are those that OpenRouter counts for its tool-call error rate: arguments that do not parse, a name that is
/// not among the tools, and arguments that do not fit the tool's schema (a missing or unreadable schema fits all).
public struct AnswerQuality: Sendable, Equatable {
  public enum ToolCallFault: Sendable, Equatable {
    case invalidJSON, unknownName, schemaMismatch
  }

  public private(set) var hasToolCalls = false
  /// Of the first tool call that has one.
  public private(set) var toolCallFault: ToolCallFault?
  /// Whether the client asked for JSON by `response_format`.
  public private(set) var wantsJSON = false
  /// Whether it asked for JSON and got something else, or JSON that does not fit its schema.
  public private(set) var hasBadJSON = false

  public var hasBadToolCall: Bool { toolCallFault != nil }

  /// - Parameters:
  ///   - tools: the value of the request's `tools`; empty when there is none.
  ///   - responseFormat: the value of the request's `response_format`; empty when there is none.
  ///   - answer: what was gathered. Of one that is cut no fault is told.
  ///   - isComplete: false when the answer ended early: at its length limit, by a filter, or broken off. What stops in
  ///     its middle has no fault of its own.
  public init(tools: [UInt8], responseFormat: [UInt8], answer: AnswerCollector, isComplete: Bool = true) {
    hasToolCalls = !answer.calls.isEmpty
    let isJudged = isComplete && !answer.isCut
    if hasToolCalls, isJudged {
      toolCallFault = tools.span.withJSONBytes { tools in
        for call in answer.calls {
          if let fault = Self.fault(of: call, tools) { return fault }
        }
        return nil
      }
    }
    guard let format = responseFormat.span.withJSONBytes({ JSONTree($0) }) else { return }
    let type = format["type"]?.text.map { String(decoding: $0, as: UTF8.self) }
    wantsJSON = type == "json_object" || type == "json_schema"
    guard wantsJSON, isJudged else { return }
    let schema = type == "json_schema" ? format["json_schema"]?["schema"] : nil
    if answer.texts.isEmpty { hasBadJSON = !hasToolCalls }
    for text in answer.texts {
      // What a model says beside its tool calls is for people.
      if answer.calls.contains(where: { $0.choice == text.choice }) { continue }
      if !Self.isFitting(text.bytes, schema, mustBeObject: type == "json_object") { hasBadJSON = true }
    }
  }

  private static func isFitting(_ text: [UInt8], _ schema: JSONTree?, mustBeObject: Bool) -> Bool {
    text.span.withJSONBytes { bytes in
      guard isJSON(bytes) else { return false }
      // Too deep to be looked at more closely.
      guard let value = JSONTree(bytes) else { return true }
      if mustBeObject { guard case .object = value else { return false } }
      return schema.map { JSONSchema($0).accepts(value) } ?? true
    }
  }

  private static func fault(of call: AnswerCollector.Call, _ tools: JSONBytes) -> ToolCallFault? {
    // A call without parameters may come without arguments.
    let isBlank = call.arguments.allSatisfy { $0 <= 0x20 }
    let arguments = isBlank ? Array("{}".utf8) : call.arguments
    return arguments.span.withJSONBytes { arguments in
      guard isJSON(arguments) else { return .invalidJSON }
      switch ToolList.look(for: call.name, in: tools) {
      case .unreadable, .found(nil): return nil
      case .missing: return .unknownName
      case .found(let place?):
        guard let schema = JSONTree(tools, at: place), let value = JSONTree(arguments) else { return nil }
        return JSONSchema(schema).accepts(value) ? nil : .schemaMismatch
      }
    }
  }

  /// Whether bytes are one JSON value; what is only too deep counts as one.
  private static func isJSON(_ bytes: JSONBytes) -> Bool {
    var cursor = JSONCursor(bytes, depthLimit: RequestScanner.depthLimit)
    do throws(JSONFault) {
      _ = try cursor.value()
      try cursor.finish()
      return true
    } catch {
      return error.reason == .depthExceeded
    }
  }
}
