import Testing

@testable import Upstream

@Suite struct ResponseHeaderReaderTests {
  /// Feeds lines, each with its line end, and gives what the last one led to.
  static func read(_ lines: [String]) -> (step: ResponseHeaderReader.Step, head: UpstreamHead) {
    var reader = ResponseHeaderReader()
    var step = ResponseHeaderReader.Step.more
    for line in lines {
      let bytes = Array((line + "\r\n").utf8)
      step = reader.read(bytes.span)
      if step != .more { break }
    }
    return (step, reader.head)
  }

  @Test func `status, content and wait are read whatever the case of the names`() {
    let (step, head) = Self.read([
      "HTTP/1.1 429 Too Many Requests", "CONTENT-TYPE: text/event-stream; charset=utf-8", "Retry-After: 7", "",
    ])
    #expect(step == .complete)
    #expect(head == UpstreamHead(status: 429, content: .eventStream, retryAfter: "7"))
    #expect(Self.read(["HTTP/2 200 ", "content-type: application/json", ""]).head.content == .json)
    #expect(Self.read(["HTTP/1.1 200 OK", "content-type: text/html", ""]).head.content == .other)
  }

  @Test func `what is said of the wait is kept as it was sent, and reset times are lengths`() {
    let fields = ["Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After-Ms:  1500 "]
    let head = Self.read(["HTTP/1.1 429 No"] + fields + [""]).head
    #expect(head.retryAfter == "Sun, 06 Nov 1994 08:49:37 GMT" && head.retryAfterMilliseconds == "1500")
    func limitedFor(_ reset: String) -> UInt64? {
      Self.read(
        ["HTTP/1.1 429 No", "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: \(reset)", ""]
      ).head.limitedFor
    }
    #expect(limitedFor("1m0.5s") == 60_500_000_000)
    #expect(limitedFor("30") == 30_000_000_000)
    // Points in time, in seconds and milliseconds since 1970, are no lengths: the usual second.
    #expect(limitedFor("1790000000") == 1_000_000_000)
    #expect(limitedFor("1790000000000") == 1_000_000_000)
    #expect(limitedFor("Sun, 06 Nov 1994 08:49:37 GMT") == 1_000_000_000)
  }

  @Test func `informational responses are skipped, ten of them`() {
    let informational = ["HTTP/1.1 103 Early Hints", ""]
    let final = ["HTTP/1.1 200 OK", ""]
    #expect(Self.read(Array(repeating: informational, count: 10).flatMap { $0 } + final).step == .complete)
    #expect(Self.read(Array(repeating: informational, count: 11).flatMap { $0 } + final).step.isRefusal)
  }

  @Test(arguments: [
    ["HTTP/1.1 101 Switching Protocols", ""],
    ["HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked", ""],
    ["HTTP/1.1 200 OK", "Content-Length: 3", "Content-Length: 3", ""],
    ["HTTP/1.1 200 OK", "Content-Length: 3x", ""],
    ["HTTP/1.1 200 OK", "Content-Length:", ""],
    ["HTTP/1.1 200 OK", "Content-Length: 9223372036854775808", ""],
    ["HTTP/1.1 200 OK", "Content-Length: 99999999999999999999999", ""],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked", ""],
    ["HTTP/1.1 200 OK", "transfer-encoding: chunked, gzip", ""],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked, chunked", ""],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked", ""],
    ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip", ""],
    ["HTTP/1.1 200 OK", "Transfer-Encoding:", ""],
    ["HTTP/1.1 200 OK", "Content-Encoding: gzip", ""],
    ["HTTP/1.1 200 OK", "Content-Encoding: identity, br", ""],
    ["HTTP/1.1 200 OK", "Content-Type: application/json", " charset=utf-8", ""],
    ["HTTP/1.1 200 OK", "X-A: b", "\tc", ""],
    ["HTTP/1.1 2 OK", ""],
    ["HTTP/1.1 200 OK", "X-Long: " + String(repeating: "a", count: 70_000), ""],
    ["HTTP/1.1 200 OK"] + Array(repeating: "X-A: b", count: 101) + [""],
  ])
  func `what breaks the rules is refused`(_ lines: [String]) {
    #expect(Self.read(lines).step.isRefusal)
  }

  @Test func `a body that is chunked, plain and of any length that fits is read`() {
    for fields in [
      ["Transfer-Encoding: chunked"], ["transfer-encoding:\tCHUNKED \t"], ["Content-Encoding: identity"],
      ["Content-Encoding: Identity "], ["Content-Length: 9223372036854775807"], ["Content-Length: 0"],
      ["Content-Length: 5 \t"],
    ] {
      #expect(Self.read(["HTTP/1.1 200 OK"] + fields + [""]).step == .complete, "\(fields)")
    }
  }

  @Test func `no byte sequence traps`() {
    var seed: UInt64 = 7
    for _ in 0..<20_000 {
      var reader = ResponseHeaderReader()
      var line: [UInt8] = []
      for _ in 0..<Int(seed % 40) {
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        line.append(UInt8(truncatingIfNeeded: seed >> 33))
      }
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      _ = reader.read(line.span)
    }
  }
}

extension ResponseHeaderReader.Step {
  var isRefusal: Bool { if case .refused = self { true } else { false } }
}
