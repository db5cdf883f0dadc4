import Testing

@testable import HTTP

@Suite struct SmugglingTests {
  static let canary = "GET /canary HTTP/1.1\r\nHost: a\r\n\r\n"

  @Test func `There are at least 120 requests in the list, and none twice`() {
    #expect(SmugglingVectors.all.count >= 120)
    #expect(Set(SmugglingVectors.all).count == SmugglingVectors.all.count)
  }

  @Test(arguments: SmugglingVectors.all)
  func `An ambiguous request is refused, closes, and what follows it is never answered`(raw: String) throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send(raw + Self.canary + Self.canary)
    #expect(harness.ends(client), "the connection stays open")
    #expect(!client.wasReset)
    #expect(client.responseCount == 1)
    let response = try #require(client.takeResponse())
    #expect((400..<500).contains(response.status) || response.status == 505)
    #expect(response.fields["connection"] == "close")
    #expect(harness.handler.requests.isEmpty)
    #expect(harness.handler.refusals.count == 1)
  }

  @Test func `The same requests on a connection that has served one before end it in the same way`() throws {
    for raw in SmugglingVectors.all {
      let harness = try Harness()
      let client = try harness.connect()
      client.send("HEAD /first HTTP/1.1\r\nHost: a\r\nOrigin: b\r\n\r\n")
      #expect(harness.response(client, bodiless: true)?.status == 200)
      for byte in raw.utf8.prefix(40) { client.send([byte]) }
      client.send(Array(raw.utf8.dropFirst(40)) + Array(Self.canary.utf8))
      #expect(harness.ends(client))
      #expect(client.responseCount == 1, "\(raw)")
      // The answer has its body: that the request before was a HEAD is forgotten.
      #expect(client.takeResponse()?.body.hasPrefix("refused") == true, "\(raw)")
      #expect(harness.handler.requests.count == 1)
    }
  }

  @Test func `A body of a refused or early answered request is never read as a request`() throws {
    let harness = try Harness()
    var heads = 0
    harness.handler.onHead = { connection in
      heads += 1
      ScriptedHandler.answer(connection, 401, "no")
      return true
    }
    let client = try harness.connect()
    let length = Self.canary.utf8.count
    client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length + 1)\r\n\r\n" + Self.canary + "x" + Self.canary)
    // The body was here whole: it is skipped, and only what stands behind it is a request.
    #expect(harness.response(client)?.status == 401)
    #expect(harness.response(client)?.status == 401)
    harness.settle()
    client.receive()
    #expect(client.received.isEmpty && !client.isAtEnd)
    #expect(heads == 2)
    // A part of it was not: nothing behind it is looked at.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(2 * length + 1)\r\n\r\n" + Self.canary + Self.canary)
    #expect(harness.ends(client))
    #expect(client.responseCount == 1)
    #expect(client.takeResponse()?.fields["connection"] == "close")
    #expect(heads == 3)
    let chunked = try harness.connect()
    chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Self.canary)
    #expect(harness.ends(chunked))
    #expect(chunked.responseCount == 1)
    #expect(heads == 4)
    #expect(harness.handler.requests.isEmpty)
  }
}
