import Testing

@testable import Wire

@Suite struct ChunkRewriteTests {
  private func rewrite(
    _ text: String, _ usage: UsageEdit = .keep, cost: String? = nil, isMultiLine: Bool = false
  ) throws -> String {
    let output = WireProperties.rewrite(Array(text.utf8), try chunk(text), usage, cost: cost, isMultiLine: isMultiLine)
    return String(decoding: output, as: UTF8.self)
  }

  private let known = #""id":"gen-1","created":1,"model":"a/b","provider":"P""#

  @Test(arguments: [
    (
      #"{"id":"x","created":9,"model":"m","provider":"q"}"#, #"{"id":"gen-1","created":1,"model":"a/b","provider":"P"}"#
    ),
    (
      #" { "provider":null , "model":{"a":[1]},"z":1.0,"created":"9", "id" : 5 } "#,
      #" { "provider":"P" , "model":"a/b","z":1.0,"created":1, "id" : "gen-1" } "#
    ),
    ("{}", #"{"id":"gen-1","created":1,"model":"a/b","provider":"P"}"#),
    ("{ }", #"{"id":"gen-1","created":1,"model":"a/b","provider":"P" }"#),
    (#"{"choices":[]}"#, #"{"id":"gen-1","created":1,"model":"a/b","provider":"P","choices":[]}"#),
    (
      #"{"id":"x","created":1,"model":"m","choices":[]}"#,
      #"{"provider":"P","id":"gen-1","created":1,"model":"a/b","choices":[]}"#
    ),
  ]) func `the identity is replaced or added`(_ text: String, _ expected: String) throws {
    #expect(try rewrite(text) == expected)
  }

  @Test func `usage is kept, replaced or added`() throws {
    let head = "{" + known
    #expect(try rewrite(head + #","usage":{"prompt_tokens":1}}"#) == head + #","usage":{"prompt_tokens":1}}"#)
    let usage = UsageEdit.set(Array(#"{"prompt_tokens":7}"#.utf8))
    #expect(try rewrite(head + #","usage":null}"#, usage) == head + #","usage":{"prompt_tokens":7}}"#)
    #expect(
      try rewrite(head + #","usage":{"prompt_tokens":1},"z":1}"#, usage) == head
        + #","usage":{"prompt_tokens":7},"z":1}"#)
    #expect(try rewrite(head + "}", usage) == #"{"usage":{"prompt_tokens":7},"# + known + "}")
  }

  @Test func `cost is the first member of the usage that is written`() throws {
    let head = "{" + known
    #expect(
      try rewrite(head + #","usage":{"prompt_tokens":1}}"#, cost: "0.5") == head
        + #","usage":{"cost":0.5,"prompt_tokens":1}}"#)
    #expect(try rewrite(head + #","usage":{ }}"#, cost: "0.5") == head + #","usage":{"cost":0.5 }}"#)
    #expect(
      try rewrite(head + #","usage":{"a":1,"cost":9.5,"d":{"cost":3}}}"#, cost: "0.5")
        == head + #","usage":{"a":1,"cost":0.5,"d":{"cost":3}}}"#)
    #expect(
      try rewrite(head + "}", .set(Array(#"{"cost":1,"a":2}"#.utf8)), cost: "0.5")
        == #"{"usage":{"cost":0.5,"a":2},"# + known + "}")
    #expect(try rewrite(head + #","usage":null}"#, cost: "0.5") == head + #","usage":null}"#)
  }

  @Test func `line ends of an event of several lines become spaces`() throws {
    let text = "{\n\"id\":\n\"x\",\"created\":1,\"model\":\"m\",\n\"provider\":1,\"z\":\n[\n]}\n"
    #expect(
      try rewrite(text, isMultiLine: true)
        == #"{ "id": "gen-1","created":1,"model":"a/b", "provider":"P","z": [ ]} "#)
    #expect(try rewrite(text).contains("\n"))
  }

  @Test func `a usage is copied on one line, and only a valid one`() throws {
    func copy(_ text: String) throws -> String? {
      try chunk(text).usageCopy(Array(text.utf8).span).map { String(decoding: $0, as: UTF8.self) }
    }
    #expect(try copy("{\"usage\":{\"prompt_tokens\":\r\n1}}") == #"{"prompt_tokens":  1}"#)
    for text in [#"{"usage":null}"#, "{}", #"{"usage":{"prompt_tokens":-1}}"#, #"{"usage":5}"#] {
      #expect(try copy(text) == nil)
    }
  }

  @Test func `a chunk with usage only can be built`() throws {
    let usage = Array(#"{"prompt_tokens":7}"#.utf8)
    for (kind, object) in [(RequestKind.chatCompletions, "chat.completion.chunk"), (.completions, "text_completion")] {
      let bytes = ChunkScan.usageOnlyChunk(
        kind, identity: WireProperties.identity, usage: usage, cost: Array("0.001".utf8))
      #expect(
        String(decoding: bytes, as: UTF8.self)
          == #"{"id":"gen-1","object":"\#(object)","created":1,"model":"a/b","provider":"P","choices":[],"#
          + #""usage":{"cost":0.001,"prompt_tokens":7}}"#)
      #expect(try ChunkScan.scan(bytes.span).usage == TokenUsage(input: 7))
    }
  }
}
