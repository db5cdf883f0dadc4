import Testing

@testable import Wire

@Suite struct RequestSpliceTests {
  private func splice(_ body: String, askUsage: Bool, model: String = #""up\"x""#) throws -> String {
    let scan = try scan(body)
    var output: [UInt8] = []
    scan.splice(Array(body.utf8).span, upstreamModel: Array(model.utf8), askUsage: askUsage) { output.append($0) }
    #expect(output.count == scan.spliceLength(upstreamModel: Array(model.utf8), askUsage: askUsage))
    return String(decoding: output, as: UTF8.self)
  }

  @Test func `only the model changes when usage is not asked for or the answer is not streamed`() throws {
    let body = #" { "messages" : [1], "model" : "m\u0061", "stream":true , "x":1.0 } "#
    #expect(
      try splice(body, askUsage: false) == #" { "messages" : [1], "model" : "up\"x", "stream":true , "x":1.0 } "#)
    let whole = #"{"model":"m","messages":[1],"stream":false}"#
    #expect(try splice(whole, askUsage: true) == #"{"model":"up\"x","messages":[1],"stream":false}"#)
  }

  @Test(arguments: [
    (
      #"{"messages":[1],"model":"m","stream":true}"#,
      #"{"stream_options":{"include_usage":true},"messages":[1],"model":"N","stream":true}"#
    ),
    (
      #"{"stream_options":null,"model":"m","messages":[1],"stream":true}"#,
      #"{"stream_options":{"include_usage":true},"model":"N","messages":[1],"stream":true}"#
    ),
    (
      #"{"model":"m","messages":[1],"stream":true,"stream_options": null }"#,
      #"{"model":"N","messages":[1],"stream":true,"stream_options": {"include_usage":true} }"#
    ),
    (
      #"{"model":"m","messages":[1],"stream":true,"stream_options":{ }}"#,
      #"{"model":"N","messages":[1],"stream":true,"stream_options":{"include_usage":true }}"#
    ),
    (
      #"{"stream_options":{"a":{}},"model":"m","messages":[1],"stream":true}"#,
      #"{"stream_options":{"include_usage":true,"a":{}},"model":"N","messages":[1],"stream":true}"#
    ),
    (
      #"{"model":"m","messages":[1],"stream":true,"stream_options":{"a":1,"include_\u0075sage" : false}}"#,
      #"{"model":"N","messages":[1],"stream":true,"stream_options":{"a":1,"include_\u0075sage" : true}}"#
    ),
    (
      #"{"stream_options":{"include_usage":null},"messages":[1],"stream":true,"model":"m"}"#,
      #"{"stream_options":{"include_usage":true},"messages":[1],"stream":true,"model":"N"}"#
    ),
    (
      #"{"stream_options":{"include_usage":true},"messages":[1],"stream":true,"model":"m"}"#,
      #"{"stream_options":{"include_usage":true},"messages":[1],"stream":true,"model":"N"}"#
    ),
  ]) func `a streamed request asks for its usage`(_ body: String, _ expected: String) throws {
    #expect(try splice(body, askUsage: true, model: #""N""#) == expected)
  }

  @Test func `the list of models may stand alone, and its first becomes the model`() throws {
    let body = #"{"models":["a","b"],"messages":[1],"stream":true}"#
    var scanner = RequestScanner(kind: .chatCompletions)
    let bytes = Array(body.utf8)
    let scan = try scanner.finish(bytes.span)
    #expect(scan.modelName == Array("a".utf8))
    #expect(scan.controls?.models == ["b"])
    #expect(
      try splice(body, askUsage: true, model: #""N""#)
        == #"{"stream_options":{"include_usage":true},"model":"N","messages":[1],"stream":true}"#)
    #expect(throws: RequestError.self) {
      var scanner = RequestScanner(kind: .chatCompletions)
      let bytes = Array(#"{"models":[],"messages":[1]}"#.utf8)
      _ = try scanner.finish(bytes.span)
    }
  }

  @Test func `signatures are taken out wherever they are in the messages, and nothing else is`() throws {
    let body = #"""
      {"model":"m","tools":[{"signature":"kept"}],"messages":[{"role":"assistant","content":"a","reasoning_details":[
      {"type":"reasoning.text","signature":"s"}]},{"signature":"x","role":"user","content":[{"type":"text","text":"b",
      "thought_signature":"y"}]},{"role":"user","content":"signature"}]}
      """#
    var scanner = RequestScanner(kind: .chatCompletions)
    let bytes = Array(body.utf8)
    let scan = try scanner.finish(bytes.span)
    #expect(scan.hasReasoningSignatures)
    let written = scan.strippingSignatures(bytes.span)
    let stripped = try #require(written)
    let text = String(decoding: stripped.body, as: UTF8.self)
    #expect(
      text == #"""
        {"model":"m","tools":[{"signature":"kept"}],"messages":[{"role":"assistant","content":"a"},{"role":"user",\#
        "content":[{"type":"text","text":"b"}]},{"role":"user","content":"signature"}]}
        """#)
    #expect(!stripped.scan.hasReasoningSignatures)
    #expect(stripped.scan.modelName == scan.modelName)
  }
}
