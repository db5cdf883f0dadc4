import Testing

@testable import HTTP

@Suite struct ChunkedBodyTests {
  static let valid = [
    "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "1\r\na\r\n002;x=\"y z\"\r\nbc\r\nA\r\n0123456789\r\n0;last\r\n\r\n",
    "5;\r\n\r\n\r\n\n\r\n00\r\nX: y\r\nLonger-Name:  value\r\n\r\n",
    "000000000000000b\r\nhello world\r\n0000000000000000\r\n\r\n",
  ]

  /// Feeds pieces as a connection does: what was not used stays in front of the next piece.
  private func read(_ pieces: [[UInt8]]) throws -> (content: [UInt8], rest: [UInt8], isDone: Bool) {
    var body = ChunkedBody()
    var held: [UInt8] = []
    var content: [UInt8] = []
    for piece in pieces {
      held += piece
      let used = try body.read(held.span) { span in
        for index in 0..<span.count { content.append(span[index]) }
      }
      held.removeFirst(used)
    }
    return (content, held, body.isDone)
  }

  @Test(arguments: valid)
  func `A chunked body means the same at every split, and ends before the next request`(text: String) throws {
    let whole = Array(text.utf8) + Array("GET".utf8)
    let expected = try read([whole])
    #expect(expected.isDone)
    #expect(expected.rest == Array("GET".utf8))
    for first in 0...whole.count {
      let two = try read([Array(whole[..<first]), Array(whole[first...])])
      #expect(two == expected)
      for second in first...whole.count {
        let three = try read([Array(whole[..<first]), Array(whole[first..<second]), Array(whole[second...])])
        #expect(three == expected)
      }
    }
    #expect(try read(whole.map { [$0] }) == expected)
  }

  @Test func `What the chunks hold is handed out and nothing else`() throws {
    #expect(try String(decoding: read([Array(Self.valid[2].utf8)]).content, as: UTF8.self) == "abc0123456789")
  }

  @Test(arguments: SmugglingVectors.chunked)
  func `Wrong framing is refused at every split`(text: String) {
    let whole = Array(text.utf8) + Array(SmugglingTests.canary.utf8)
    for split in Swift.stride(from: 0, through: min(whole.count, 200), by: 1) {
      #expect(throws: FramingRefusal.self) { try read([Array(whole[..<split]), Array(whole[split...])]) }
    }
  }

  @Test func `Random bytes are read or refused, and never trap`() {
    var random = SeededRandom(seed: 31)
    let likely = Array("0123456789abcdefF;\r\n\r\n\r\nX: y".utf8)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 1..<60, using: &random)).map { _ in likely.randomElement(using: &random) ?? 0 }
      var body = ChunkedBody()
      var count = 0
      let used = try? body.read(bytes.span) { count += $0.count }
      #expect(used ?? 0 <= bytes.count)
      #expect(count <= bytes.count)
    }
  }
}
