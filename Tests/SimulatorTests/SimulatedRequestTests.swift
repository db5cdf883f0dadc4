import Testing

@testable import Simulator

@Suite struct SimulatedRequestTests {
  private func read(_ text: String) -> SimulatedRequest? { SimulatedRequest(Array(text.utf8).span) }

  @Test func aKeyWithEscapesIsTheSameKey() {
    let request = read(
      #"{"mod\u0065l":"sim","\u0073\u0074ream":true,"mess\u0061ges":["x"],"m\u0061x_tokens":7,"#
        + #""stream_options":{"incl\u0075de_usage":true}}"#)
    #expect(request != nil && request?.isStreamed == true && request?.tokenLimit == 7 && request?.wantsUsage == true)
  }

  @Test func anotherKeyIsAnother() {
    for key in [#"mod\u00e9l"#, #"mod\u0065"#, #"mod\u006"#, #"mod\x65l"#, #"mod\\u0065l"#, #"Model"#, #"\u4d4del"#] {
      #expect(read(#"{"\#(key)":"sim","messages":["x"]}"#) == nil, "\(key)")
    }
  }
}
