import Foundation
import Testing

@testable import Wire

@Suite struct RequestContinuedTests {
  private func continued(
    _ body: String, by text: String, generated: Int = 0, as continuation: Continuation = .prefill,
    kind: RequestKind = .chatCompletions
  ) throws -> String? {
    let bytes = Array(body.utf8)
    var scanner = RequestScanner(kind: kind)
    var scan = try scanner.finish(bytes.span)
    // As late as it is asked for, the members are gone.
    scan.forgetMembers()
    guard
      let (body, again) = scan.continued(
        bytes.span, by: Array(text.utf8), generated: generated, as: continuation)
    else { return nil }
    #expect(again.bodyLength == body.count && again.modelName == scan.modelName && again.stream == scan.stream)
    return String(decoding: body, as: UTF8.self)
  }

  @Test func `the text becomes an assistant's message behind the others`() throws {
    let body = #"{"model":"m","messages":[{"role":"user","content":"x]"} ],"seed":1}"#
    #expect(
      try continued(body, by: "a \"b\"\n\u{1}é🚂 \n\n")
        == #"{"model":"m","messages":[{"role":"user","content":"x]"},"#
        + #"{"role":"assistant","content":"a \"b\"\n\u0001é🚂"} ],"seed":1}"#)
  }

  @Test func `the prefill of the client becomes longer`() throws {
    let body = #"{"messages":[{"role":"user","content":"x"},{"content":"Well\\","role":"assist\u0061nt"}],"model":"m"}"#
    #expect(
      try continued(body, by: " done")
        == #"{"messages":[{"role":"user","content":"x"},{"content":"Well\\ done","role":"assist\u0061nt"}],"model":"m"}"#
    )
  }

  @Test(arguments: [
    #"{"role":"assistant","content":null}"#, #"{"role":"assistant"}"#,
    #"{"role":"assistant","content":[{"type":"text","text":"a"}]}"#,
    #"{"role":"assistant","content":"a","tool_calls":[{"id":"1"}]}"#, "1",
  ]) func `behind a last message that is no plain prefill nothing can be put`(_ last: String) throws {
    #expect(try continued(#"{"model":"m","messages":[\#(last)]}"#, by: "x") == nil)
  }

  @Test func `the flags of the engines stand once, whatever the client said of them`() throws {
    let plain = #"{"model":"m","messages":[{"role":"user","content":"x"}]}"#
    #expect(
      try continued(plain, by: "a", as: .continueFinalMessage)
        == #"{"continue_final_message":true,"add_generation_prompt":false,"model":"m","messages":"#
        + #"[{"role":"user","content":"x"},{"role":"assistant","content":"a"}]}"#)
    let said =
      #"{"add_generation_prompt":true,"model":"m","continue_final_message":false,"#
      + #""messages":[{"role":"user","content":"x"}]}"#
    #expect(
      try continued(said, by: "a", as: .continueFinalMessage)
        == #"{"add_generation_prompt":false,"model":"m","continue_final_message":true,"#
        + #""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a"}]}"#)
  }

  @Test func `the prompt of a completion becomes longer`() throws {
    for continuation in Continuation.allCases {
      #expect(
        try continued(#"{"model":"m","prompt":"Once \"upon"}"#, by: "\" a", as: continuation, kind: .completions)
          == #"{"model":"m","prompt":"Once \"upon\" a"}"#)
    }
    #expect(
      try continued(#"{"model":"m","prompt":["Once"]}"#, by: " a", kind: .completions)
        == #"{"model":"m","prompt":["Once a"]}"#)
    for prompt in ["[1,2]", "[[1,2]]", #"["a","b"]"#] {
      #expect(try continued(#"{"model":"m","prompt":\#(prompt)}"#, by: "x", kind: .completions) == nil)
    }
    #expect(try continued(#"{"model":"m","messages":[{}]}"#, by: "x", as: .completion) == nil)
  }

  @Test func `limits are lowered by what was generated`() throws {
    let body = #"{"model":"m","prompt":"a","max_tokens":10,"max_completion_tokens":12}"#
    #expect(
      try continued(body, by: "b", generated: 9, kind: .completions)
        == #"{"model":"m","prompt":"ab","max_tokens":1,"max_completion_tokens":3}"#)
    #expect(try continued(body, by: "b", generated: 10, kind: .completions) == nil)
    #expect(try continued(body, by: "b", generated: .max, kind: .completions) == nil)
    let null = #"{"model":"m","prompt":"a","max_tokens":null}"#
    #expect(
      try continued(null, by: "b", generated: 9, kind: .completions)
        == #"{"model":"m","prompt":"ab","max_tokens":null}"#)
  }

  @Test func `blanks alone change nothing but the limits`() throws {
    let body = #"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":5}"#
    for continuation in [Continuation.prefill, .continueFinalMessage] {
      #expect(
        try continued(body, by: " \n", generated: 1, as: continuation)
          == body.replacingOccurrences(of: ":5}", with: ":4}"))
    }
  }

  @Test func `any text arrives at another reader of JSON as it was`() throws {
    var random = SeededRandom(4)
    let alphabet = Array("ab\"\\\n\t\u{1}\u{7f} é駅🚂/{}[]:,".unicodeScalars)
    for _ in 0..<500 {
      var scalars = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 1...12, using: &random) {
        scalars.append(alphabet.randomElement(using: &random) ?? "a")
      }
      scalars.append("!")
      let body = try #require(
        try continued(#"{"model":"m","messages":[{"role":"user","content":"x"}],"n":1}"#, by: String(scalars)))
      let object = try #require(JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
      let messages = try #require(object["messages"] as? [[String: String]])
      #expect(messages.count == 2 && messages[1] == ["role": "assistant", "content": String(scalars)])
    }
  }

  @Test(
    arguments: [
      ("", true), (#","n":2"#, false), (#","response_format":{"type":"text"}"#, true),
      (#","response_format":{"type":"json_object"}"#, false), (#","response_format":{"type":"json_schema"}"#, false),
      (#","response_format":{"type":"grammar","value":"x"}"#, false), (#","response_format":{}"#, true),
      (#","response_format":null"#, true), (#","response_format":"text""#, false),
      (#","guided_regex":"a+""#, false), (#","gr\u0061mmar":"root"# + "\"", false), (#","grammar":null"#, true),
      (#","logprobs":true"#, false), (#","logprobs":false"#, true), (#","top_logprobs":2"#, false),
      (#","tools":[{"type":"function"}],"seed":1,"max_tokens":5"#, true),
      (#","structured_outputs":{"json":{}}"#, false),
    ] as [(String, Bool)]) func `a stream of one choice in free text can be carried on`(
      _ more: String, _ isResumable: Bool
    ) throws
  {
    #expect(try scan(#"{"model":"m","stream":true,"messages":[1]\#(more)}"#).isResumable == isResumable)
    #expect(try !scan(#"{"model":"m","messages":[1]\#(more)}"#).isResumable)
  }

  @Test func `once the members are let go of it is not said that an answer can be carried on`() throws {
    var scan = try scan(#"{"model":"m","stream":true,"messages":[1]}"#)
    scan.forgetMembers()
    #expect(!scan.isResumable)
  }
}
