import Testing

@testable import Wire

@Suite struct ErrorEventTests {
  private let error = ErrorEvent(
    code: 502, message: "The provider \"P\" went away\n", errorType: "provider_unavailable", providerCode: "x")

  @Test func `a chat stream ends every unfinished choice with an error`() throws {
    let bytes = error.data(.chatCompletions, identity: WireProperties.identity, unfinished: [0, 2])
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"id":"gen-1","object":"chat.completion.chunk","created":1,"model":"a/b","provider":"P","#
        + #""error":{"code":502,"message":"The provider \"P\" went away\n","metadata":{"error_type":"provider_unavailable","#
        + #""provider_code":"x","provider_name":"P"}},"#
        + #""choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"},"#
        + #"{"index":2,"delta":{"content":""},"finish_reason":"error"}]}"#)
    let scan = try ChunkScan.scan(bytes.span)
    #expect(scan.error != nil && scan.finishReason == .error && !scan.hasContent)
    #expect(scan.finished.contains(0) && scan.finished.contains(2) && scan.finished.count == 2)
  }

  @Test func `a completions stream has text`() throws {
    let bytes = ErrorEvent(code: 504, message: "late", errorType: "timeout")
      .data(.completions, identity: WireProperties.identity, unfinished: [1])
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.hasSuffix(#""choices":[{"index":1,"text":"","finish_reason":"error"}]}"#))
    #expect(text.contains(#""object":"text_completion""#))
    #expect(try ChunkScan.scan(bytes.span).finishReason == .error)
  }
}
