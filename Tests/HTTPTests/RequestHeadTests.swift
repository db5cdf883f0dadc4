import Testing

@testable import HTTP

@Suite struct RequestHeadTests {
  private func parsed(_ text: String) throws -> (RequestHead, [UInt8]) {
    var head = RequestHead()
    let bytes = Array(text.utf8)
    try head.parse(bytes.span)
    return (head, bytes)
  }

  private func text(_ bytes: [UInt8], _ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  @Test func `A usual head is read field by field`() throws {
    let (head, bytes) = try parsed(
      "POST /v1/chat/completions?x=1&y HTTP/1.1\r\nHost: localhost:8080\r\nAccept: */*\r\n"
        + "Authorization:\t Bearer key \t\r\nX-Empty:\r\nContent-Length: 0042\r\nExpect: 100-Continue\r\n\r\n")
    #expect(head.method == .post)
    #expect(text(bytes, head.path) == "/v1/chat/completions")
    #expect(text(bytes, head.query) == "x=1&y")
    #expect(text(bytes, head.host) == "localhost:8080")
    #expect(
      head.fields.map { text(bytes, $0.name) }
        == ["Host", "Accept", "Authorization", "X-Empty", "Content-Length", "Expect"])
    #expect(
      head.fields.map { text(bytes, $0.value) } == ["localhost:8080", "*/*", "Bearer key", "", "0042", "100-Continue"])
    #expect(head.contentLength == 42)
    #expect(head.hasBody && head.keepsAlive && head.expectsContinue && !head.isChunked && !head.isHTTP10)
    #expect(head.value("authorization", in: bytes.span).map { text(bytes, $0) } == "Bearer key")
    #expect(head.value("cookie", in: bytes.span) == nil)
    #expect(head.count("accept", in: bytes.span) == 1)
  }

  @Test(arguments: [
    ("GET / HTTP/1.1", "", true), ("GET / HTTP/1.1", "Connection: close", false),
    ("GET / HTTP/1.1", "Connection: Upgrade, CLOSE", false), ("GET / HTTP/1.1", "Connection: keep-alive", true),
    ("GET / HTTP/1.1", "Connection: closed", true), ("GET / HTTP/1.0", "", false),
    ("GET / HTTP/1.0", "Connection: Keep-Alive", true), ("GET / HTTP/1.0", "Connection: keep-alive, close", false),
    ("GET / HTTP/1.1", "Connection:  , ,close ,", false),
  ])
  func `The connection is kept as the version and the Connection field say`(line: String, field: String, keeps: Bool)
    throws
  {
    let (head, _) = try parsed("\(line)\r\nHost: a\r\n\(field.isEmpty ? "" : field + "\r\n")\r\n")
    #expect(head.keepsAlive == keeps)
  }

  @Test(arguments: [
    ("/", "/", ""), ("/?", "/", ""), ("/a?b?c", "/a", "b?c"), ("/%00%0d", "/%00%0d", ""), ("http://a/x?y", "/x", "y"),
    ("HTTP://A/x", "/x", ""), ("/http://b/", "/http://b/", ""), ("//b/c", "//b/c", ""),
  ])
  func `A target is split into its path and its query`(target: String, path: String, query: String) throws {
    let (head, bytes) = try parsed("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(text(bytes, head.path) == path)
    #expect(text(bytes, head.query) == query)
  }

  @Test(arguments: ["a", "a:80", "a:", "127.0.0.1:8080", "[::1]", "[::1]:8080", "[::ffff:1.2.3.4]", "a_b.c-d~e", "%41"])
  func `A Host may be a name or an address with or without a port`(host: String) throws {
    let (head, bytes) = try parsed("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
    #expect(text(bytes, head.host) == host)
  }

  @Test func `OPTIONS may ask about the server as a whole`() throws {
    let (head, bytes) = try parsed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(head.method == .options)
    #expect(text(bytes, head.path) == "*")
  }

  @Test func `A hundred fields are read and one more is refused`() throws {
    let fields = String(repeating: "X: y\r\n", count: 99)
    #expect(try parsed("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n").0.fields.count == 100)
    #expect(throws: FramingRefusal.self) { try parsed("GET / HTTP/1.1\r\nHost: a\r\n\(fields)X: y\r\n\r\n") }
  }

  @Test func `A token is what RFC 9110 says, byte by byte`() {
    let allowed = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    for byte in UInt8.min...UInt8.max { #expect(Byte.isToken(byte) == allowed.contains(byte), "\(byte)") }
  }

  @Test func `Nothing of a former head is left when the next one is refused`() throws {
    var (head, _) = try parsed("HEAD /long/path?q HTTP/1.0\r\nHost: somewhere\r\nContent-Length: 5\r\n\r\n")
    let bytes = Array("G\r\n\r\n".utf8)
    #expect(throws: FramingRefusal.self) { try head.parse(bytes.span) }
    #expect(head.method == .other && head.path.isEmpty && head.query.isEmpty && head.host.isEmpty)
    #expect(head.fields.isEmpty && head.contentLength == nil && !head.isHTTP10 && !head.hasBody)
  }

  @Test func `Every beginning of a head is refused or waits, and never traps`() {
    let whole = Array("POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n".utf8)
    for length in 0..<whole.count {
      let part = Array(whole[..<length])
      var head = RequestHead()
      #expect(throws: FramingRefusal.self) { try head.parse(part.span) }
    }
  }

  @Test func `Changed bytes anywhere are parsed or refused, and never trap`() {
    var random = SeededRandom(seed: 9)
    let whole = Array("POST http://a/a?b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".utf8)
    let likely = Array("\r\n :;,\0/?[]".utf8)
    var refused = 0
    for _ in 0..<20_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[at] = likely.randomElement(using: &random) ?? 0
        case 1: bytes.remove(at: at)
        default: bytes.insert(.random(in: 0...255, using: &random), at: at)
        }
      }
      var head = RequestHead()
      do throws(FramingRefusal) { try head.parse(bytes.span) } catch { refused += 1 }
      for field in head.fields { #expect(field.value.upperBound <= bytes.count) }
    }
    #expect(refused > 10_000)
  }

  @Test func `The end of a head is found at every split, and each byte is enough to go on`() throws {
    let whole = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\nrest\r\n\r\n".utf8)
    let expected = 27
    for split in 1..<whole.count {
      var search = HeadSearch()
      let first = try search.end(in: Array(whole[..<split]).span)
      #expect(first == (split >= expected ? expected : nil))
      if first == nil { #expect(try search.end(in: whole.span) == expected) }
    }
    var search = HeadSearch()
    for length in 1..<expected { #expect(try search.end(in: Array(whole[..<length]).span) == nil) }
    #expect(try search.end(in: Array(whole[..<expected]).span) == expected)
  }

  @Test func `Dates are written as IMF-fixdate`() {
    for (seconds, expected) in [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37"), (0, "Thu, 01 Jan 1970 00:00:00"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00"),
      (1_709_164_800, "Thu, 29 Feb 2024 00:00:00"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00"), (-5, "Thu, 01 Jan 1970 00:00:00"),
    ] as [(Int64, String)] {
      #expect(String(decoding: HTTPDate.field(unixSeconds: seconds), as: UTF8.self) == "Date: \(expected) GMT\r\n")
    }
  }
}
