import Testing

@testable import Wire

@Suite struct ConversationHashTests {
  private func hash(_ text: String) throws -> ConversationHash { try #require(try scan(text).conversation) }

  static let plain = [
    #"{"model":"m","tools":[{"type":"function","function":{"name":"f"}},{"name":"g"}],"#,
    #""messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}"#,
  ].joined()

  @Test(arguments: [
    // A marker in the tools: last, first, alone, with blanks, two of them.
    #"{"model":"m","tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}},{"name":"g"}],"#
      + #""messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}"#,
    #"{"model":"m","tools":[{"cache_control":{"type":"ephemeral","ttl":"1h"}, "type":"function","function":{"name":"f"}},"#
      + #"{"name":"g", "prompt_cache_breakpoint" : true,"cache_control":null}],"#
      + #""messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}"#,
    #"{"model":"m","tools":[{"cache_control":1,"prompt_cache_breakpoint":[1],"type":"function","function":{"name":"f"}},"#
      + #"{"name":"g"}],"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}"#,
    // In messages: beside the content, in a part, or before it.
    #"{"model":"m","tools":[{"type":"function","function":{"name":"f"}},{"name":"g"}],"#
      + #""messages":[{"cache_control":{"type":"x"},"role":"system","content":"be brief"},"#
      + #"{"content":[{"type":"text","cache_control":{"type":"ephemeral","a":["b"]},"text":"hi"}],"role":"user"}]}"#,
    // In another order, and with a later turn.
    #"{"messages":[{"role":"system","content":[{"type":"text","text":"be brief","prompt_cache_breakpoint":"x"}]},"#
      + #"{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}],"model":"other","#
      + #""tools":[{"type":"function","function":{"name":"f"}},{"name":"g"}]}"#,
  ]) func `markers, later turns and the order of members change nothing`(_ body: String) throws {
    let (one, other) = (try hash(Self.plain), try hash(body))
    #expect(one.sharedPrefix == other.sharedPrefix)
    #expect(one.conversation == other.conversation)
  }

  @Test(arguments: [
    (#""be brief""#, #""be long""#, true), (#""hi""#, #""ho""#, false), (#""name":"g""#, #""name":"h""#, true),
    ("\"system\"", "\"user\"", true),
  ]) func `other words are another conversation`(_ old: String, _ new: String, _ changesPrefix: Bool) throws {
    let parts = Self.plain.split(separator: old, omittingEmptySubsequences: false)
    let (one, other) = (try hash(Self.plain), try hash(parts.joined(separator: new)))
    #expect((one.sharedPrefix != other.sharedPrefix) == changesPrefix)
    #expect(one.conversation != other.conversation)
  }

  @Test func `developer messages are the system's`() throws {
    let parts = Self.plain.split(separator: "\"system\"", omittingEmptySubsequences: false)
    #expect(try hash(Self.plain) == hash(parts.joined(separator: "\"system\"")))
    let system = [#"{"role":"developer","content":"a"}"#, #"{"role":"system", "content":"b"}"#]
    let hash = try hash(messages(system.joined(separator: ",") + #",{"role":"user"}"#))
    #expect(hash.sharedPrefixBytes == system[0].utf8.count + system[1].utf8.count)
  }

  @Test func `the hash is the same in every process`() throws {
    let hash = try hash(Self.plain)
    #expect(hash.sharedPrefix == 18_228_453_914_154_009_633)
    #expect(hash.conversation == 11_966_904_546_645_187_813)
    #expect(hash.sharedPrefixBytes == 58 + 38)
  }

  @Test func `of a very long text the beginning, the end and the length count`() throws {
    let length = 200_000
    func body(_ place: Int, _ letter: UInt8) -> String {
      var text = [UInt8](repeating: UInt8(ascii: "x"), count: length)
      text[place] = letter
      return messages(#"{"role":"user","content":"\#(String(decoding: text, as: UTF8.self))"}"#)
    }
    let plain = try hash(body(0, UInt8(ascii: "x")))
    #expect(try hash(body(5, UInt8(ascii: "y"))) != plain)
    #expect(try hash(body(length - 5, UInt8(ascii: "y"))) != plain)
    #expect(try hash(body(100_000, UInt8(ascii: "y"))) == plain)
    #expect(try hash(messages(#"{"role":"user","content":"\#(String(repeating: "x", count: length + 1))"}"#)) != plain)
  }

  @Test func `every text of a short message counts, whatever its length`() throws {
    for length in 0..<200 {
      let text = String(repeating: "x", count: length)
      var seen: Set<UInt64> = []
      seen.insert(try hash(messages(#"{"role":"user","content":"\#(text)"}"#)).conversation)
      for place in 0..<length {
        var letters = Array(text.utf8)
        letters[place] = UInt8(ascii: "y")
        let other = messages(#"{"role":"user","content":"\#(String(decoding: letters, as: UTF8.self))"}"#)
        seen.insert(try hash(other).conversation)
      }
      #expect(seen.count == length + 1)
    }
  }

  @Test func `a completions request has none`() throws {
    #expect(try scan(#"{"model":"m","prompt":"x","messages":[1]}"#, .completions).conversation == nil)
  }
}
