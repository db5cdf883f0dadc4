import Testing

@testable import Wire

func chunk(_ text: String) throws -> ChunkScan { try ChunkScan.scan(Array(text.utf8).span) }

@Suite struct ChunkScanTests {
  private let event =
    #"{"id":"c-1","object":"chat.completion.chunk","created":17,"model":"m","provider":null,"#
    + #""choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":null,"finish_reason":null}]}"#

  private func text(_ range: Range<Int>?, of event: String) -> String? {
    range.map { String(decoding: Array(event.utf8)[$0], as: UTF8.self) }
  }

  @Test func `the members of a chunk are found`() throws {
    let scan = try chunk(event)
    #expect(text(scan.id, of: event) == #""c-1""#)
    #expect(text(scan.created, of: event) == "17")
    #expect(text(scan.model, of: event) == #""m""#)
    #expect(text(scan.provider, of: event) == "null")
    #expect(text(scan.object, of: event) == #""chat.completion.chunk""#)
    #expect(scan.usageRange == nil && scan.error == nil)
    #expect(scan.choiceCount == 1 && scan.hasContent && scan.contentChoices == 1)
    #expect(!scan.hasFinishReason && scan.finished.isEmpty && scan.seen.contains(0) && scan.seen.count == 1)
  }

  @Test func `keys are read unescaped`() throws {
    let event =
      #"{"\u0069d":"x","us\u0061ge":{"prompt_tok\u0065ns":4},"choi\u0063es":[{"d\u0065lta":{"content":"a"}}]}"#
    let scan = try chunk(event)
    #expect(text(scan.id, of: event) == #""x""#)
    #expect(scan.usage == TokenUsage(input: 4))
    #expect(scan.hasContent)
  }

  @Test(arguments: [
    (#"{"role":"assistant"}"#, false), (#"{"role":"assistant","content":""}"#, false), ("{}", false), ("null", false),
    (#"{"content":null,"tool_calls":null}"#, false), (#"{"tool_calls":[]}"#, false), (#"{"function_call":{ }}"#, false),
    (#"{"content":"x"}"#, true), (#"{"content":" "}"#, true), (#"{"reasoning":"hm"}"#, true),
    (#"{"reasoning_content":"hm","content":null}"#, true), (#"{"tool_calls":[{"index":0}]}"#, true),
    (#"{"content":[{"type":"text"}]}"#, true), (#"{"audio":{"id":"a"}}"#, true), (#"{"x":0}"#, true),
    (#"{"x":false}"#, true),
    (#"{"refusal":"no"}"#, true),
  ]) func `content is anything besides the role that is not empty`(_ delta: String, _ hasContent: Bool) throws {
    #expect(try chunk(#"{"choices":[{"index":0,"delta":\#(delta)}]}"#).hasContent == hasContent)
    #expect(try chunk(#"{"choices":[{"index":0,"message":\#(delta)}]}"#).hasContent == hasContent)
  }

  @Test func `text of a completion is content`() throws {
    #expect(try chunk(#"{"choices":[{"index":0,"text":"x"},{"index":1,"text":""}]}"#).contentChoices == 1)
    #expect(try !chunk(#"{"choices":[{"index":0,"text":null,"logprobs":{"tokens":[]}}]}"#).hasContent)
  }

  @Test(
    arguments: [
      (#""stop""#, FinishReason.stop), (#""length""#, .length), (#""tool_calls""#, .toolCalls),
      (#""function_call""#, .toolCalls),
      (#""content_filter""#, .contentFilter), (#""error""#, .error), (#""eos""#, .other), ("null", nil), (#""""#, nil),
      ("1", nil),
    ] as [(String, FinishReason?)]) func `a finish reason is told`(_ value: String, _ reason: FinishReason?) throws
  {
    let scan = try chunk(#"{"choices":[{"finish_reason":\#(value),"index":2}]}"#)
    #expect(scan.finishReason == reason)
    #expect(scan.finished.contains(2) == (reason != nil))
  }

  @Test func `a finish reason of error goes before those of other choices`() throws {
    for reasons in [["error", "stop"], ["stop", "error"], ["length", "error", "stop"]] {
      let choices = reasons.map { #"{"finish_reason":"\#($0)"}"# }.joined(separator: ",")
      #expect(try chunk(#"{"choices":[\#(choices)]}"#).finishReason == .error)
    }
  }

  @Test(arguments: [
    (#"{"message":"boom","code":500}"#, true), (#"{"object":"error","message":"boom"}"#, true),
    (#"{"mess\u0061ge":"boom","choices":null}"#, true), (#"{"message":"boom","choices":[]}"#, false),
    (#"{"message":{"role":"assistant"}}"#, false), (#"{"message":null}"#, false), (#"{"error":null}"#, false),
    (#"{"choices":[{"message":{"content":"x"}}]}"#, false), (#"{"error":"boom","choices":[]}"#, true),
  ]) func `an error is told, also as a message where choices would be`(_ event: String, _ isError: Bool) throws {
    #expect(try (chunk(event).error != nil) == isError)
  }

  @Test func `choices are absent, empty, or counted`() throws {
    #expect(try chunk("{}").choiceCount == nil)
    #expect(try chunk("{}").isEmpty)
    #expect(try chunk(#"{"choices":null}"#).choiceCount == nil)
    #expect(try chunk(#"{"choices":[]}"#).choiceCount == 0)
    #expect(try chunk(#"{"choices":[{},{}]}"#).choiceCount == 2)
  }

  @Test func `choices without an index count from their place`() throws {
    let scan = try chunk(#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"stop"}]}"#)
    #expect(scan.finished.containsAll(below: 2) && scan.finished.count == 2)
  }

  @Test(arguments: [
    "", " ", "[]", "1", #""a""#, "[DONE]", "{", #"{"a":1"#, #"{"choices":[{"delta":{"content":"x"}}]"#, "{} {}",
    #"{"a":NaN}"#,
    #"{"choices":{}}"#, #"{"choices":5}"#, #"{"choices":[1]}"#, #"{"choices":[{"delta":"x"}]}"#,
    #"{"choices":[{"index":-1}]}"#,
    #"{"choices":[{"index":"0"}]}"#, #"{"choices":[{"index":4096}]}"#, #"{"choices":[{"index":1e3}]}"#,
    #"{"choices":[{},]}"#,
    #"{"choices":[{"index":99999999999999999999}]}"#, #"{"a":"\#("\n")"}"#,
  ]) func `a malformed chunk is an error`(_ text: String) {
    #expect(throws: ChunkError.self) { try chunk(text) }
  }

  @Test func `a chunk may be 64 levels deep`() throws {
    func nested(_ levels: Int) -> String {
      #"{"x":"# + String(repeating: "[", count: levels) + String(repeating: "]", count: levels) + "}"
    }
    _ = try chunk(nested(63))
    #expect(throws: ChunkError.self) { try chunk(nested(64)) }
    #expect(throws: ChunkError.self) { try chunk(nested(100_000)) }
    #expect(throws: ChunkError.self) { try chunk(String(repeating: #"{"error":"#, count: 100_000)) }
  }

  @Test func `an error in the stream is seen, null is none`() throws {
    #expect(try chunk(#"{"error":{"message":"x"}}"#).error == 9..<24)
    #expect(try chunk(#"{"error":null}"#).error == nil)
    #expect(try chunk(#"{"error":"x"}"#).error != nil)
  }

  @Test func `the end mark is known with blanks around it`() {
    func isDone(_ text: String) -> Bool { ChunkScan.isDone(Array(text.utf8).span) }
    for text in ["[DONE]", "[DONE] ", " [DONE]\t", "[DONE]\r"] { #expect(isDone(text)) }
    for text in ["", "[DONE", "[DONE]x", "[done]", "{}", "DONE"] { #expect(!isDone(text)) }
  }

  @Test func `random edits of a chunk never break a rewrite`() {
    var random = SeededRandom(5)
    let original = Array(
      (event.dropLast() + #","usage":{"prompt_tokens":12,"cost":1,"completion_tokens_details":{"reasoning_tokens":3}}}"#)
        .utf8)
    let alphabet = Array("{}[]\":,\\u0e1-.tfn \n".utf8)
    for _ in 0..<10_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        if Bool.random(using: &random) {
          bytes[index] = alphabet.randomElement(using: &random) ?? 0
        } else {
          bytes.remove(at: index)
        }
      }
      #expect(WireProperties.chunk(bytes) == nil, "\(String(decoding: bytes, as: UTF8.self))")
    }
  }
}
