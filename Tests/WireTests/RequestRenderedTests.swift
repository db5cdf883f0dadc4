import Testing

@testable import Wire

@Suite struct RequestRenderedTests {
  private static let conversation =
    #"{"role":"system","content":" Be brief.\n"},{"role":"user","content":"Hi \"you\""},"#
    + #"{"role":"assistant","content":"Hello\n"},{"role":"user","content":" Tell é\u00fc 🚂 "}"#

  private func rendered(
    _ body: String, by template: ChatTemplate = .chatml, continuing text: String = "Once", generated: Int = 0,
    kind: RequestKind = .chatCompletions
  ) throws -> (prompt: String, body: String)? {
    let bytes = Array(body.utf8)
    var scanner = RequestScanner(kind: kind)
    var scan = try scanner.finish(bytes.span)
    // As late as it is asked for, the members are gone.
    scan.forgetMembers()
    let made = scan.rendered(bytes.span, by: template, continuing: Array(text.utf8), generated: generated)
    guard let (body, again) = made else { return nil }
    #expect(again.kind == .completions && again.bodyLength == body.count)
    #expect(again.modelName == scan.modelName && again.stream == scan.stream)
    #expect(again.includeUsage == scan.includeUsage)
    let prompt = try #require(again.members.first { $0.routed == .prompt })
    let text = body.span.withJSONBytes { bytes in
      Array(JSONUnescaped(bytes, prompt.value.lowerBound + 1..<prompt.value.upperBound - 1))
    }
    return (String(decoding: text, as: UTF8.self), String(decoding: body, as: UTF8.self))
  }

  private func prompt(_ messages: String, by template: ChatTemplate, continuing text: String = "") throws -> String? {
    try rendered(#"{"model":"m","messages":[\#(messages)]}"#, by: template, continuing: text)?.prompt
  }

  @Test func `each template is written byte for byte`() throws {
    #expect(
      try prompt(Self.conversation, by: .chatml, continuing: " Once \"upon\"\n ")
        == "<|im_start|>system\n Be brief.\n<|im_end|>\n<|im_start|>user\nHi \"you\"<|im_end|>\n"
        + "<|im_start|>assistant\nHello\n<|im_end|>\n<|im_start|>user\n Tell éü 🚂 <|im_end|>\n"
        + "<|im_start|>assistant\n Once \"upon\"")
    #expect(
      try prompt(Self.conversation, by: .llama3, continuing: "Once")
        == "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        + "<|start_header_id|>user<|end_header_id|>\n\nHi \"you\"<|eot_id|>"
        + "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>"
        + "<|start_header_id|>user<|end_header_id|>\n\nTell éü 🚂<|eot_id|>"
        + "<|start_header_id|>assistant<|end_header_id|>\n\nOnce")
    #expect(
      try prompt(Self.conversation, by: .gemma, continuing: "Once")
        == "<start_of_turn>user\n Be brief.\n\n\nHi \"you\"<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n"
        + "<start_of_turn>user\nTell éü 🚂<end_of_turn>\n<start_of_turn>model\nOnce")
  }

  @Test func `parts that are texts are one text`() throws {
    let message =
      #"{"content":[{"type":"text","text":"a ","cache_control":{"type":"ephemeral"}},{"text":"b","type":"text"}],"#
      + #""role":"us\u0065r","name":null,"tool_calls":[]}"#
    #expect(try prompt(message, by: .chatml) == "<|im_start|>user\na \nb<|im_end|>\n<|im_start|>assistant\n")
    #expect(try prompt(message, by: .gemma) == "<start_of_turn>user\nab<end_of_turn>\n<start_of_turn>model\n")
  }

  @Test(arguments: [
    #"{"role":"tool","content":"x"}"#, #"{"role":"developer","content":"x"}"#, #"{"content":"x"}"#,
    #"{"role":"user"}"#, #"{"role":"user","content":null}"#, #"{"role":"user","content":[]}"#, "1", "{}",
    #"{"role":"user","content":"x","name":"a"}"#, #"{"role":"user","content":["x"]}"#,
    #"{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}"#,
    #"{"role":"user","content":[{"type":"text","text":"x","image":"y"}]}"#,
    #"{"role":"assistant","content":"x","tool_calls":[{"id":"1"}]},{"role":"user","content":"x"}"#,
    #"{"role":"assistant","content":"x","reasoning_content":"y"},{"role":"user","content":"x"}"#,
    #"{"role":"user","content":"x"},{"role":"assistant","content":"Well"}"#,
  ]) func `more than texts that end with a question is not carried on`(_ messages: String) throws {
    for template in ChatTemplate.allCases { #expect(try prompt(messages, by: template) == nil) }
  }

  @Test func `roles that a template does not know in this order are not written`() throws {
    let user = #"{"role":"user","content":"x"}"#
    for messages in [
      #"\#(user),\#(user)"#, #"{"role":"system","content":"x"}"#, #"\#(user),{"role":"system","content":"x"}"#,
    ] {
      #expect(try prompt(messages, by: .gemma) == nil)
      #expect(try prompt(messages, by: .chatml) != nil)
    }
  }

  @Test(
    arguments: [
      (.chatml, "<|im_end|>"), (.chatml, #"<|\u0069m_start|>"#), (.chatml, "<|endoftext|>"), (.llama3, "<|eot_id|>"),
      (.llama3, "x<|reserved_special_token_1|>"), (.gemma, "<end_of_turn>"), (.gemma, "<bos>"),
    ] as [(ChatTemplate, String)]) func `special tokens are never let in`(_ template: ChatTemplate, _ token: String)
    throws
  {
    let user = #"{"role":"user","content":"\#(token)"}"#
    #expect(try prompt(user, by: template) == nil)
    #expect(try prompt(#"{"role":"system","content":"\#(token)"},{"role":"user","content":"x"}"#, by: template) == nil)
    if !token.contains("\\") {
      #expect(try prompt(#"{"role":"user","content":"x"}"#, by: template, continuing: "a \(token)") == nil)
    }
  }

  @Test func `pieces that are a special token only when joined are none either`() throws {
    let parts = #"[{"type":"text","text":"<end_of"},{"type":"text","text":"_turn>"}]"#
    #expect(try prompt(#"{"role":"user","content":\#(parts)}"#, by: .gemma) == nil)
  }

  @Test func `what only looks like a special token is text`() throws {
    for text in ["f <| x |> g", "a < b", "<", "<|", "<|>", "<table>", "<end_of_turn"] {
      for template in ChatTemplate.allCases {
        #expect(try prompt(#"{"role":"user","content":"\#(text)"}"#, by: template)?.contains(text) == true)
      }
    }
  }

  @Test func `parameters of both kinds stay, and no other`() throws {
    let body =
      #"{"stop":["a", "b"],"messages":[{"role":"user","content":"x"}],"temperature":0.50,"top_p":null,"n":1,"#
      + #""seed":7,"model":"m\n","stream":true,"stream_options":{"include_usage":true},"user":"u","metadata":{"a":1},"#
      + #""models":["o"],"frequency_penalty":1,"reasoning_effort":"low","tools":[],"service_tier":"flex"}"#
    #expect(
      try rendered(body)?.body
        == #"{"model":"m\n","prompt":"<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\nOnce","temperature":0.50,"#
        + #""seed":7,"stream":true,"stream_options":{"include_usage":true},"frequency_penalty":1,"max_tokens":null,"#
        + #""stop":["a", "b","<|im_end|>"]}"#)
    for (stop, stops) in [
      (#""e\"""#, #"["e\"","<|eot_id|>"]"#), ("null", #"["<|eot_id|>"]"#), ("[]", #"["<|eot_id|>"]"#),
    ] {
      let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],"stop":\#(stop)}"#
      #expect(try rendered(body, by: .llama3)?.body.hasSuffix(#""stop":\#(stops)}"#) == true)
    }
  }

  @Test func `the limit on output tokens is lowered by what was generated`() throws {
    func limited(_ limits: String, _ generated: Int) throws -> String? {
      try rendered(#"{"model":"m",\#(limits),"messages":[{"role":"user","content":"x"}]}"#, generated: generated)?.body
    }
    #expect(try limited(#""max_tokens":10"#, 4)?.contains(#""max_tokens":6,"#) == true)
    #expect(try limited(#""max_tokens":10,"max_completion_tokens":9"#, 4)?.contains(#""max_tokens":5,"#) == true)
    #expect(try limited(#""max_tokens":10"#, 0)?.contains(#""max_tokens":10,"#) == true)
    #expect(try limited(#""max_tokens":10"#, 10) == nil)
    #expect(try limited(#""max_completion_tokens":10"#, 11) == nil)
  }

  @Test(arguments: [
    #""tools":[{"type":"function"}]"#, #""functions":[{}]"#, #""chat_template":"x""#, #""documents":[{}]"#,
    #""chat_template_kwargs":{"enable_thinking":false}"#,
  ]) func `what else goes into the prompt is not left out of it`(_ member: String) throws {
    #expect(try rendered(#"{"model":"m",\#(member),"messages":[{"role":"user","content":"x"}]}"#) == nil)
  }

  @Test func `a completion is no chat`() throws {
    #expect(try rendered(#"{"model":"m","prompt":"x"}"#, kind: .completions) == nil)
  }

  @Test func `any text comes back out of the prompt as it went in`() throws {
    var random = SeededRandom(41)
    let letters = Array("ab<|im>\"\\\n\t\u{1}é🚂 ")
    for _ in 0..<500 {
      let texts = (0..<4).map { _ in
        String((0..<Int.random(in: 0...12, using: &random)).compactMap { _ in letters.randomElement(using: &random) })
      }
      let turns = texts.dropLast().enumerated().map { place, text in
        let quoted = String(decoding: JSONText.quoted(text), as: UTF8.self)
        return #"{"role":"\#(place == 1 ? "assistant" : "user")","content":\#(quoted)}"#
      }
      let held = texts.contains { ChatTemplate.chatml.holdsToken(Array($0.utf8).span) }
      var expected: String?
      if !held {
        expected = texts.dropLast().enumerated().map { place, text in
          "<|im_start|>\(place == 1 ? "assistant" : "user")\n\(text)<|im_end|>\n"
        }.joined()
        let last = Array(texts[3].utf8)
        expected? += "<|im_start|>assistant\n"
        expected? += String(decoding: last[..<last.span.countWithoutTrailingBlanks], as: UTF8.self)
      }
      #expect(try prompt(turns.joined(separator: ","), by: .chatml, continuing: texts[3]) == expected)
    }
  }
}
