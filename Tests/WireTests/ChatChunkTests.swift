import Testing

@testable import Wire

@Suite struct ChatChunkTests {
  private func converted(_ data: String) -> String {
    String(decoding: ChunkScan.chatChunk(Array(data.utf8).span), as: UTF8.self)
  }

  private func chunk(_ choices: String, more: String = "", kind: String = "text_completion") -> String {
    #"{"id":"c-1","object":"\#(kind)","created":1,"model":"m","choices":[\#(choices)]\#(more)}"#
  }

  private func chat(_ choices: String, more: String = "") -> String {
    chunk(choices, more: more, kind: "chat.completion.chunk")
  }

  @Test func `text becomes a delta, and the scan reads it as chat`() throws {
    let made = converted(chunk(#"{"index":0,"text":"a \"é\u00fc","logprobs":null,"finish_reason":null}"#))
    #expect(made == chat(#"{"index":0,"delta":{"content":"a \"é\u00fc"},"finish_reason":null}"#))
    let bytes = Array(made.utf8)
    let scan = try ChunkScan.scan(bytes.span)
    #expect(scan.isPlainText && !scan.hasFinishReason)
    #expect(String(decoding: scan.unescapedText(bytes.span), as: UTF8.self) == "a \"éü")
  }

  @Test func `the finish reason is the provider's own, with text beside it or without`() throws {
    #expect(
      converted(chunk(#"{"finish_reason":"length","text":"","stop_reason":7,"index":0}"#))
        == chat(#"{"finish_reason":"length","delta":{},"stop_reason":7,"index":0}"#))
    #expect(
      converted(chunk(#"{"index":0,"finish_reason":"stop","logprobs":null},{}"#))
        == chat(#"{"index":0,"finish_reason":"stop","delta":{}},{"delta":{}}"#))
    let last = converted(chunk(#"{"text":"end","index":0,"finish_reason":"stop"}"#))
    #expect(last == chat(#"{"delta":{"content":"end"},"index":0,"finish_reason":"stop"}"#))
    let scan = try ChunkScan.scan(Array(last.utf8).span)
    #expect(scan.hasText && scan.finishReason == .stop)
    #expect(
      converted(chunk(#"{"text":"x","index":0},{"text":null,"index":1,"finish_reason":"stop"}"#))
        == chat(#"{"delta":{"content":"x"},"index":0},{"delta":{},"index":1,"finish_reason":"stop"}"#))
  }

  @Test func `usage stays as it is`() throws {
    let usage = #","usage":{"prompt_tokens":3,"completion_tokens":4,"cost": 0.10}"#
    #expect(converted(chunk("", more: usage)) == chat("", more: usage))
    #expect(
      converted(chunk(#"{"index":0,"text":"","finish_reason":"stop"}"#, more: usage))
        == chat(#"{"index":0,"delta":{},"finish_reason":"stop"}"#, more: usage))
  }

  @Test(arguments: [
    "[DONE]", "null", "{", "", #"{"choices":[1]}"#, #"{"choices":[{"text":"a"}"#, #"{"error":{"message":"x"}}"#,
    #"{"choices":null}"#, "{}", #"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#,
  ]) func `what is no text completion stays as it is`(_ data: String) {
    #expect(converted(data) == data)
  }

  @Test func `an event of several lines becomes one line`() {
    #expect(
      converted("{\"object\":\"text_completion\",\n\"choices\" : [ {\"logprobs\":{\n\"a\":1},\r\"text\":\"x\\n\"} ]\n}")
        == #"{"object":"chat.completion.chunk","choices":[{"delta":{"content":"x\n"}}]}"#)
    #expect(converted("{\n1") == "{ 1")
  }
}
