import Testing

@testable import Wire

@Suite struct ProviderErrorTests {
  private func scan(_ text: String) -> ProviderError { ProviderError.scan(Array(text.utf8).span) }

  @Test(
    arguments: [
      (#"{"error":{"message":"No","type":"t","code":"c"}}"#, "No", "c", "t"), (#"{"error":"No"}"#, "No", nil, nil),
      (#"{"message":"No","code":429}"#, "No", "429", nil), (#"{"detail":"No"}"#, "No", nil, nil),
      (#"{"detail":[{"loc":["body","n"],"msg":"No","type":"int"},{"msg":"Other"}]}"#, "No", nil, "int"),
      (
        #"{"object":"error","message":"No","type":"BadRequestError","param":null,"code":400}"#, "No", "400",
        "BadRequestError"
      ),
      (#"{"type":"error","error":{"type":"overloaded_error","message":"No"}}"#, "No", nil, "overloaded_error"),
      (#"[{"error":{"code":503,"message":"No","status":"UNAVAILABLE"}}]"#, "No", "503", nil),
      (#"{"id":"x","choices":[],"error":{"code":502,"message":"No","metadata":{"raw":"x"}}}"#, "No", "502", nil),
      (#"{"detail":{"error":{"message":"No"}}}"#, "No", nil, nil), (#"{"errors":[{"message":"No"}]}"#, "No", nil, nil),
      ("No capacity", "No capacity", nil, nil), ("<html><body>502</body></html>", nil, nil, nil), ("", nil, nil, nil),
      ("  ", nil, nil, nil), ("{}", nil, nil, nil), ("[]", nil, nil, nil), (#"{"error":null}"#, nil, nil, nil),
      (#"{"error":{"message":{"a":"b"}}}"#, nil, nil, nil), (#"{"error":{"message":"No","type":"t""#, "No", nil, "t"),
      (#"{"error":{"message":"No" oops"#, "No", nil, nil),
    ] as [(String, String?, String?, String?)]) func `a shape that is in use is read`(
      _ body: String, _ message: String?, _ code: String?, _ type: String?
    )
  {
    let error = scan(body)
    #expect(error.message == message)
    #expect(error.code == code)
    #expect(error.type == type)
  }

  @Test(arguments: [
    (#"{"error":{"code":"context_length_exceeded","message":"x"}}"#, ProviderError.Kind.contextLength),
    (
      #"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
      .contextLength
    ),
    (#"{"message":"This model's maximum context length is 4096 tokens."}"#, .contextLength),
    (#"{"error":{"code":"content_filter"}}"#, .contentFilter),
    (#"{"error":{"message":"Your input was flagged by moderation"}}"#, .contentFilter),
    (#"{"error":{"type":"insufficient_quota","message":"x"}}"#, .quota),
    (#"{"error":{"message":"You exceeded your current quota"}}"#, .quota),
    (#"{"error":{"message":"This request requires more credits"}}"#, .quota),
    (#"{"error":{"message":"Rate limit exceeded","code":429}}"#, .other), ("", .other),
  ]) func `what the failure means is told`(_ body: String, _ kind: ProviderError.Kind) {
    #expect(scan(body).kind == kind)
  }

  @Test(
    arguments: [
      (#"{"error":{"code":429,"message":"x"}}"#, 429), (#"{"error":{"code":"503"}}"#, 503),
      (#"{"error":{"type":"rate_limit_error"}}"#, 429), (#"{"error":{"code":"rate_limit_exceeded","type":"x"}}"#, 429),
      (#"{"error":{"code":"context_length_exceeded","type":"invalid_request_error"}}"#, 400),
      (#"{"error":{"code":"insufficient_quota","type":"invalid_request_error"}}"#, 402),
      (#"{"error":{"type":"authentication_error"}}"#, 401), (#"{"error":{"type":"BadRequestError","code":400}}"#, 400),
      (#"{"error":{"code":"model_not_found"}}"#, 404), (#"{"error":{"type":"overloaded_error"}}"#, nil),
      (#"{"error":{"code":200,"message":"429"}}"#, nil), (#"{"error":{"code":99999999999999999999}}"#, nil),
      (#"{"error":"rate_limit"}"#, nil),
    ] as [(String, Int?)]) func `the status that it names or means is told`(_ body: String, _ status: Int?)
  {
    #expect(scan(body).status == status)
  }

  @Test func `a message is one line of at most 500 characters without control characters`() {
    #expect(scan(#"{"error":"a\nb\u0007\u001b[31mc\u0085d"}"#).message == "a b[31mcd")
    let long = scan(#"{"error":"\#(String(repeating: "é", count: 2000))"}"#).message
    #expect(long == String(repeating: "é", count: 500))
    #expect(scan(String(repeating: "x", count: 2000)).message?.count == 500)
    // A single character of many scalars is cut as well.
    #expect(scan("a" + String(repeating: "\u{301}", count: 5000)).message?.unicodeScalars.count == 500)
  }

  @Test func `deep nesting is given up`() {
    #expect(scan(String(repeating: #"{"error":"#, count: 100_000)).message == nil)
    #expect(scan(String(repeating: "[", count: 100_000)).message == nil)
  }

  @Test func `any bytes are survived`() {
    var random = SeededRandom(9)
    for _ in 0..<5000 {
      let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let wrapped = Array(#"{"error":{"message":""#.utf8) + bytes + Array(#""}}"#.utf8)
      #expect(WireProperties.providerError(bytes) == nil)
      #expect(WireProperties.providerError(wrapped) == nil)
    }
  }
}
