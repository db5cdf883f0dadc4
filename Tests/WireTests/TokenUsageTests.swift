import Testing

@testable import Wire

@Suite struct TokenUsageTests {
  private func usage(_ object: String) throws -> (TokenUsage?, isInvalid: Bool) {
    let scan = try chunk(#"{"choices":[],"usage":\#(object)}"#)
    return (scan.usage, scan.usageIsInvalid)
  }

  @Test func `all counts are read`() throws {
    let (usage, isInvalid) = try usage(
      #"{"prompt_tokens":194,"completion_tokens":20,"total_tokens":214,"prompt_tokens_details":{"cached_tokens":100,"#
        + #""cache_write_tokens":7,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":5},"cost":0.95}"#)
    #expect(usage == TokenUsage(input: 194, output: 20, cachedInput: 100, cacheWrite: 7, reasoning: 5))
    #expect(!isInvalid)
  }

  @Test func `the other spelling is read`() throws {
    let (usage, _) = try usage(
      #"{"input_tokens":1,"output_tokens":2,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":4},"#
        + #""output_tokens_details":{"reasoning_tokens":5}}"#)
    #expect(usage == TokenUsage(input: 1, output: 2, cachedInput: 3, cacheWrite: 4, reasoning: 5))
  }

  @Test func `zero is zero; null and missing are unknown`() throws {
    #expect(
      try usage(#"{"prompt_tokens":0,"completion_tokens":null,"prompt_tokens_details":null}"#).0 == TokenUsage(input: 0)
    )
    #expect(try usage("null").0 == nil)
    #expect(try usage("null").isInvalid == false)
    #expect(try chunk("{}").usage == nil)
  }

  @Test(arguments: [
    "-5", "-0", #""12""#, "9223372036854775808", "9223372036854775807", "9007199254740993", "1e308", "1e2", "12.5",
    "12.0",
    "{}", "[]", "[12]", "true", "1e400", "99999999999999999999999999999999999999999999", #"{"value":3}"#,
  ]) func `a count that cannot be makes the usage invalid`(_ value: String) throws {
    for object in [
      #"{"prompt_tokens":\#(value),"completion_tokens":3}"#, #"{"completion_tokens":\#(value)}"#,
      #"{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":\#(value)}}"#,
      #"{"prompt_tokens":3,"completion_tokens_details":{"reasoning_tokens":\#(value)}}"#,
    ] {
      let (usage, isInvalid) = try usage(object)
      #expect(usage == nil)
      #expect(isInvalid)
    }
  }

  @Test(arguments: [
    "{}", #"{"total_tokens":6}"#, #"{"prompt_tokens":null,"prompt_tokens_details":{"cached_tokens":1}}"#,
  ])
  func `a usage without input and output is none, and no mistake`(_ object: String) throws {
    #expect(try usage(object).0 == nil)
    #expect(try !usage(object).isInvalid)
  }

  @Test func `counts are written as they are read`() throws {
    for usage in [
      TokenUsage(input: 3), TokenUsage(output: 4), TokenUsage(input: 3, output: 4, cachedInput: 1),
      TokenUsage(input: 1 << 53, output: 1 << 53, cacheWrite: 2, reasoning: 0),
    ] {
      let text = String(decoding: usage.json, as: UTF8.self)
      #expect(try self.usage(text).0 == usage)
    }
    #expect(
      String(decoding: TokenUsage(input: 3, output: 4, cachedInput: 1, reasoning: 2).json, as: UTF8.self)
        == #"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1},"#
        + #""completion_tokens_details":{"reasoning_tokens":2}}"#)
  }

  @Test func `2^53 is the largest count`() throws {
    #expect(try usage(#"{"prompt_tokens":9007199254740992}"#).0?.input == 1 << 53)
  }

  @Test(arguments: ["5", #""x""#, "[]", "true", #"{"prompt_tokens_details":5}"#, #"{"completion_tokens_details":[]}"#])
  func `a usage of another shape is invalid`(_ value: String) throws {
    #expect(try usage(value).0 == nil)
    #expect(try usage(value).isInvalid)
  }

  @Test func `NaN is no JSON, so the chunk is malformed`() {
    #expect(throws: ChunkError.self) { try usage(#"{"prompt_tokens":NaN}"#) }
  }

  @Test func `of two usages in one chunk the last counts`() throws {
    let scan = try chunk(#"{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}}"#)
    #expect(scan.usage == TokenUsage(input: 2))
    #expect(try chunk(#"{"usage":{"prompt_tokens":-1},"usage":null}"#).usageIsInvalid == false)
  }

  @Test func `a usage counts with choices beside it`() throws {
    let scan = try chunk(#"{"choices":[{"delta":{"content":"x"}}],"usage":{"completion_tokens":2}}"#)
    #expect(scan.usage == TokenUsage(output: 2) && scan.hasContent)
  }

  @Test func `the last report wins and nothing is added up`() {
    var usage = TokenUsage(input: 10, output: 1)
    usage.merge(last: TokenUsage(output: 5, reasoning: 0))
    #expect(usage == TokenUsage(input: 10, output: 5, reasoning: 0))
    usage.merge(last: TokenUsage(output: 0))
    #expect(usage.output == 0)
  }
}
