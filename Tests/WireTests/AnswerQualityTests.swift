import Testing

@testable import Wire

@Suite struct AnswerQualityTests {
  private func collected(_ chunks: [String]) -> AnswerCollector {
    var answer = AnswerCollector()
    for chunk in chunks { answer.add(Array(chunk.utf8).span) }
    return answer
  }

  private func quality(
    _ chunks: [String], tools: String = "", format: String = "", isComplete: Bool = true
  ) -> AnswerQuality {
    AnswerQuality(
      tools: Array(tools.utf8), responseFormat: Array(format.utf8), answer: collected(chunks), isComplete: isComplete)
  }

  /// The events of one tool call, its arguments cut at every byte.
  private func call(_ name: String, _ arguments: String) -> [String] {
    var chunks = [
      #"{"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"c","#
        + #""function":{"name":"\#(name)","arguments":""}}]}}]}"#
    ]
    for byte in arguments.unicodeScalars {
      let text = String(decoding: JSONText.quoted(String(byte)), as: UTF8.self)
      chunks.append(
        #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":\#(text)}}]}}]}"#)
    }
    return chunks
  }

  static let tools =
    #"[{"type":"function","function":{"name":"other"}},{"type":"function","function":{"name":"read","parameters":"#
    + #"{"type":"object","properties":{"path":{"type":"string","minLength":1},"lines":{"$ref":"#
    + ##""#/definitions/lines"}},"required":["path"],"additionalProperties":false,"##
    + #""definitions":{"lines":{"type":"integer","minimum":1}}}}}]"#

  @Test(
    arguments: [
      ("read", #"{"path":"é","lines":2}"#, nil), ("read", #"{"path":"a","lines":3.0}"#, nil), ("other", "", nil),
      ("other", #"{"any":[1]}"#, nil),
      ("read", #"{"path":"a""#, .invalidJSON), ("read", #"{'path':1}"#, .invalidJSON), ("read", "{} {}", .invalidJSON),
      ("write", "{}", .unknownName), ("", "{}", .unknownName),
      ("read", "", .schemaMismatch), ("read", #"{"path":""}"#, .schemaMismatch), ("read", "[]", .schemaMismatch),
      ("read", #"{"path":"a","lines":0}"#, .schemaMismatch), ("read", #"{"path":"a","lines":1.5}"#, .schemaMismatch),
      ("read", #"{"path":"a","more":1}"#, .schemaMismatch), ("read", #"{"path":5}"#, .schemaMismatch),
    ] as [(String, String, AnswerQuality.ToolCallFault?)])
  func `a tool call is judged by its arguments, name and schema`(
    _ name: String, _ arguments: String, _ fault: AnswerQuality.ToolCallFault?
  ) {
    let streamed = quality(call(name, arguments), tools: Self.tools)
    #expect(streamed.hasToolCalls)
    #expect(streamed.toolCallFault == fault)
    let text = String(decoding: JSONText.quoted(arguments), as: UTF8.self)
    let whole =
      #"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"\#(name)","#
      + #""arguments":\#(text)}}]}}]}"#
    #expect(quality([whole], tools: Self.tools) == streamed)
    #expect(!quality(call(name, arguments), tools: Self.tools, isComplete: false).hasBadToolCall)
  }

  @Test func `calls and texts of several choices stay apart`() {
    let answer = collected([
      #"{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}},"#
        + #"{"index":1,"function":{"name":"g","arguments":"["}}]}},{"index":1,"delta":{"content":"b"}}]}"#,
      #"{"choices":[{"index":1,"delta":{"content":"d","tool_calls":[{"index":0,"function":{"name":"h","arguments":"1"}}]}},"#
        + #"{"index":0,"delta":{"content":"c","tool_calls":[{"index":1,"function":{"name":"g","arguments":"]"}},"#
        + #"{"index":0,"function":{"arguments":"}"}}]}}]}"#,
      "no JSON", #"{"choices":null}"#, #"{"choices":[{"delta":null}],"usage":{}}"#,
    ])
    #expect(
      answer.calls.map { "\($0.choice) \($0.index) \(String(decoding: $0.name + $0.arguments, as: UTF8.self))" }
        == ["0 0 f{}", "0 1 g[]", "1 0 h1"])
    #expect(answer.texts.map { String(decoding: $0.bytes, as: UTF8.self) } == ["ac", "bd"])
    #expect(!answer.isCut)
  }

  @Test func `an answer that is too large is not judged`() {
    let part = String(repeating: "x", count: 10_000)
    let call = #"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"\#(part)"}}]}}]}"#
    #expect(quality(Array(repeating: call, count: 6)).hasBadToolCall)
    #expect(!quality(Array(repeating: call, count: 7)).hasBadToolCall)
    let text = #"{"choices":[{"delta":{"content":"\#(part)"}}]}"#
    #expect(quality(Array(repeating: text, count: 6), format: #"{"type":"json_object"}"#).hasBadJSON)
    let large = quality(Array(repeating: text, count: 7), format: #"{"type":"json_object"}"#)
    #expect(large.wantsJSON && !large.hasBadJSON)
    let calls = (0..<300).map { #"{"choices":[{"delta":{"tool_calls":[{"index":\#($0),"function":{"name":"f"}}]}}]}"# }
    #expect(collected(calls).isCut)
    #expect(collected(calls).calls.count == AnswerCollector.callLimit)
  }

  @Test(arguments: [
    (#"{"type":"json_object"}"#, #"{\"a\":1}"#, false), (#"{"type":"json_object"}"#, "[1]", true),
    (#"{"type":"json_object"}"#, "Sure!", true), (#"{"type":"json_object"}"#, "", true),
    (
      #"{"type":"json_schema","json_schema":{"schema":{"type":"array","items":{"enum":["a",1]}}}}"#, #"[\"a\",1.0]"#,
      false
    ),
    (#"{"type":"json_schema","json_schema":{"schema":{"type":"array","items":{"enum":["a",1]}}}}"#, "[2]", true),
    (#"{"type":"json_schema","json_schema":{"schema":{"maxItems":1}}}"#, "[2,3]", true),
    (#"{"type":"json_schema"}"#, "5", false), (#"{"type":"json_schema"}"#, "```5```", true),
  ]) func `JSON that was asked for is judged`(_ format: String, _ text: String, _ isBad: Bool) {
    let chunk = #"{"choices":[{"message":{"content":"\#(text)"}}]}"#
    #expect(quality([chunk], format: format).wantsJSON)
    #expect(quality([chunk], format: format).hasBadJSON == isBad)
    #expect(!quality([chunk], format: format, isComplete: false).hasBadJSON)
  }

  @Test(arguments: ["", #"{"type":"text"}"#, "null", "[", "5"])
  func `text is not judged where no JSON was asked for`(_ format: String) {
    let quality = quality([#"{"choices":[{"message":{"content":"x"}}]}"#], format: format)
    #expect(!quality.wantsJSON && !quality.hasBadJSON)
  }

  @Test(arguments: [
    ("5", "true", true), ("5", "false", false), ("5", "{}", true), ("5", "7", true), ("5", #"{"type":"odd"}"#, true),
    ("5", #"{"type":["string","integer"]}"#, true), ("5.5", #"{"type":["string","integer"]}"#, false),
    ("null", #"{"type":"null"}"#, true), ("true", #"{"type":"number"}"#, false),
    (#"{"a":[1]}"#, #"{"const":{"a":[1.0]}}"#, true), (#"{"a":[1]}"#, #"{"const":{"a":[2]}}"#, false),
    ("5", #"{"minimum":5,"maximum":5}"#, true), ("5", #"{"exclusiveMinimum":5}"#, false),
    ("5", #"{"exclusiveMaximum":5}"#, false), ("1e999", #"{"maximum":9}"#, false),
    (#""é𝄞""#, #"{"minLength":2,"maxLength":2}"#, true), (#""abc""#, #"{"maxLength":2}"#, false),
    ("[1,2]", #"{"minItems":3}"#, false), (#"[1,"a"]"#, #"{"items":[{"type":"integer"},{"type":"string"}]}"#, true),
    ("[1,2]", #"{"items":[{"type":"integer"},{"type":"string"}]}"#, false),
    ("5", #"{"anyOf":[{"type":"string"},{"minimum":5}]}"#, true),
    ("4", #"{"anyOf":[{"type":"string"},{"minimum":5}]}"#, false),
    ("5", #"{"allOf":[{"minimum":1},{"maximum":4}]}"#, false),
    ("5", #"{"oneOf":[{"minimum":1},{"maximum":9}]}"#, false),
    ("5", #"{"oneOf":[{"minimum":6},{"maximum":9}]}"#, true), (#"{"b":1}"#, #"{"required":["a"]}"#, false),
    (#"{"x":1}"#, #"{"additionalProperties":{"type":"string"}}"#, false),
    (#"{"x":1}"#, #"{"patternProperties":{"^x":{}},"additionalProperties":false}"#, true),
    (#"{"v":1,"n":{"v":2,"n":{"v":"x"}}}"#, ##"{"properties":{"v":{"type":"integer"},"n":{"$ref":"#"}}}"##, false),
    (#"{"v":1,"n":{"v":2}}"#, ##"{"properties":{"v":{"type":"integer"},"n":{"$ref":"#"}}}"##, true),
    ("5", ##"{"$ref":"#"}"##, true),
    ("5", ##"{"$ref":"#/$defs/a~1b%20c/0","$defs":{"a/b c":[{"type":"string"}]}}"##, false),
    ("5", ##"{"$ref":"#/$defs/none"}"##, true), ("5", #"{"$ref":"http://x/y"}"#, true),
  ]) func `values fit a schema as draft 7 says`(_ value: String, _ schema: String, _ fits: Bool) throws {
    let value = try #require(Array(value.utf8).span.withJSONBytes { JSONTree($0) })
    let schema = try #require(Array(schema.utf8).span.withJSONBytes { JSONTree($0) })
    #expect(JSONSchema(schema).accepts(value) == fits)
  }

  @Test func `a schema that would take forever holds`() throws {
    let two = ##"{"$ref":"#"}"##
    let schema = try #require(
      Array(#"{"allOf":[\#(two),\#(two)],"type":"string"}"#.utf8).span.withJSONBytes { JSONTree($0) })
    #expect(JSONSchema(schema).accepts(.string([])))
    let words = (0..<2_000).map { "\"\($0)\"" }.joined(separator: ",")
    let many = #"{"items":{"enum":[\#(words)]}}"#
    let large = try #require(Array(many.utf8).span.withJSONBytes { JSONTree($0) })
    #expect(JSONSchema(large).accepts(.array(Array(repeating: .string(Array("1999".utf8)), count: 2_000))))
  }

  @Test func `nesting is bounded`() {
    let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
    #expect(!quality(call("read", deep), tools: Self.tools).hasBadToolCall)
    let deeper = String(repeating: "[", count: 60_000)
    let text = #"{"choices":[{"message":{"tool_calls":[{"function":{"name":"read","arguments":"\#(deeper)"}}]}}]}"#
    #expect(!quality([text], tools: Self.tools).hasBadToolCall)
    #expect(!quality(call("f", "{}"), tools: deeper).hasBadToolCall)
  }
}
