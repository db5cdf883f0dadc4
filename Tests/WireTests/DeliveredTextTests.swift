import Foundation
import Testing

@testable import Wire

@Suite struct DeliveredTextTests {
  private func delivered(_ events: [String]) throws -> DeliveredText {
    var delivered = DeliveredText()
    for event in events {
      let data = Array(event.utf8)
      delivered.add(data.span, try ChunkScan.scan(data.span))
    }
    return delivered
  }

  @Test func `texts are gathered unescaped, in both kinds of stream`() throws {
    let chat = try delivered([
      #"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
      #"{"choices":[{"index":0,"delta":{"content":"a\n\"b\" "}}]}"#,
      #"{"choices":[{"index":0,"delta":{"role":"assistant","content":"\u00e9\ud83d\ude82\/"}}]}"#,
      #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, #"{"choices":[],"usage":{"prompt_tokens":1}}"#,
    ])
    #expect(String(decoding: chat.text, as: UTF8.self) == "a\n\"b\" é🚂/")
    #expect(chat.pieces == 2 && chat.isResumable)
    let text = try delivered([#"{"choices":[{"index":0,"text":"x"}]}"#, #"{"choices":[{"text":" y"}]}"#])
    #expect(text.text == Array("x y".utf8) && text.pieces == 2 && text.isResumable)
  }

  @Test(arguments: [
    #"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"a","reasoning":"hm"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}"#,
    #"{"choices":[{"index":0,"delta":{"function_call":{"name":"f"}}}]}"#,
    #"{"choices":[{"index":0,"delta":{"refusal":"no"}}]}"#, #"{"choices":[{"index":0,"delta":{"audio":{"id":"a"}}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"a"}]}}]}"#,
    #"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"a"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}"#,
    #"{"choices":[{"index":0,"text":"a","delta":{"content":"b"}}]}"#,
  ]) func `anything else than one plain text cannot be gone on with`(_ event: String) throws {
    let plain = #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#
    #expect(try !delivered([event]).isResumable)
    #expect(try !delivered([plain, event, plain]).isResumable)
    #expect(try delivered([plain, event, plain]).text.isEmpty)
  }

  @Test func `half a character at the end cannot be gone on with`() throws {
    let half = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\u{fffd}\"}}]}"
    #expect(try !delivered([half]).isResumable)
    #expect(try delivered([half, #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#]).isResumable)
  }

  @Test func `a text of more than a mebibyte is let go of`() throws {
    let event = #"{"choices":[{"index":0,"delta":{"content":"\#(String(repeating: "x", count: 1 << 19))"}}]}"#
    #expect(try delivered([event, event]).isResumable)
    let over = try delivered([event, event, #"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#])
    #expect(!over.isResumable && over.text.isEmpty)
  }

  @Test func `what a chunk brings is told`() throws {
    func told(_ delta: String) throws -> [Bool] {
      let scan = try chunk(#"{"choices":[{"index":0,"delta":\#(delta)}]}"#)
      return [scan.hasText, scan.hasToolCalls, scan.hasReasoning, scan.isPlainText]
    }
    #expect(try told(#"{"content":"a"}"#) == [true, false, false, true])
    #expect(try told(#"{"cont\u0065nt":"a"}"#) == [true, false, false, true])
    #expect(try told(#"{"content":"","tool_calls":[{"index":0}]}"#) == [false, true, false, false])
    #expect(try told(#"{"reasoning_details":[{}],"content":null}"#) == [false, false, true, false])
    #expect(try told(#"{"content":"a","tool_calls":[{"index":0}]}"#) == [true, true, false, false])
    #expect(try told(#"{"role":"assistant","content":""}"#) == [false, false, false, false])
  }

  @Test func `a text is replaced where it stands`() throws {
    let event = #"{"id":"x","choices":[{"delta":{"content":"a\"b"},"index":0,"finish_reason":"stop"}],"usage":null}"#
    let data = Array(event.utf8)
    let scan = try ChunkScan.scan(data.span)
    #expect(scan.unescapedText(data.span) == Array("a\"b".utf8))
    let replaced = String(decoding: scan.replacingText(data.span, by: Array("\n é".utf8)), as: UTF8.self)
    #expect(replaced == event.replacingOccurrences(of: #""a\"b""#, with: #""\n é""#))
    let other = Array(#"{"choices":[]}"#.utf8)
    #expect(try ChunkScan.scan(other.span).replacingText(other.span, by: data) == other)
  }

  @Test func `a chunk of the router's own brings the text that it was made for`() throws {
    let identity = ChunkIdentity(id: "gen-1", created: 7, model: "m", provider: "P")
    for kind in [RequestKind.chatCompletions, .completions] {
      let text = Array("a\n\"é🚂\u{1}".utf8)
      let data = ChunkScan.contentChunk(kind, identity: identity, text: text)
      let scan = try ChunkScan.scan(data.span)
      #expect(scan.isPlainText && !scan.hasFinishReason && scan.unescapedText(data.span) == text)
      let object = try #require(JSONSerialization.jsonObject(with: Data(data)) as? [String: Any])
      #expect(object["id"] as? String == "gen-1" && object["provider"] as? String == "P")
    }
  }
}
