import Testing

@testable import HTTP

@Suite struct ServerTests {
  private func get(_ target: String, _ fields: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
  }

  private func post(_ body: String, _ fields: String = "") -> String {
    "POST /p HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test func `Requests one after another are answered on one connection`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    for number in 0..<5 {
      client.send(post("body \(number)"))
      let response = try #require(harness.response(client))
      #expect(response.status == 200)
      #expect(response.body == "/p|body \(number)")
      #expect(response.fields["connection"] == nil)
      #expect(response.fields["content-type"] == "text/plain")
      #expect(response.fields["date"] == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
    #expect(harness.server.accepted == 1)
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test(arguments: [
    "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n",
    "POST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET /f HTTP/1.1\r\nHost: a\r\n\r\nPOST /g HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
  ])
  func `A request means the same at every split into two pieces`(text: String) throws {
    let whole = Array(text.utf8)
    let harness = try Harness()
    let client = try harness.connect()
    client.send(whole)
    harness.settle()
    let expected = harness.handler.requests
    client.receive()
    let answers = client.responseCount
    for split in 1..<whole.count {
      let before = harness.handler.requests.count
      client.send(Array(whole[..<split]))
      #expect(harness.takeEvent())
      client.send(Array(whole[split...]))
      #expect(harness.runs { harness.handler.requests.count >= before + expected.count })
      #expect(Array(harness.handler.requests[before...]) == expected)
    }
    harness.settle()
    client.receive()
    let interim = client.text.occurrences(of: "HTTP/1.1 100 ")
    #expect(client.responseCount - interim == answers * whole.count)
    #expect(harness.server.limits.bodies.held == 0)
    #expect(harness.server.accepted == 1)
  }

  @Test func `Pipelined requests are answered in their order, whatever they need`() throws {
    let harness = try Harness()
    var owed: [(Connection, Received)] = []
    harness.handler.onRequest = { connection, request in
      if request.target.hasPrefix("/later") {
        owed.append((connection, request))
      } else {
        ScriptedHandler.echo(connection, request)
      }
    }
    harness.perRound = {
      // One round later, and then in one piece or as a stream.
      guard let (connection, request) = owed.popLast() else { return }
      if request.target == "/later/stream" {
        connection.beginStream(status: 200, contentType: "text/plain") { _ in }
        connection.stream(Array(request.target.utf8).span)
        connection.endStream()
      } else {
        ScriptedHandler.echo(connection, request)
      }
    }
    let client = try harness.connect()
    client.send(
      get("/1") + post("two") + get("/later/3") + get("/4") + get("/later/stream")
        + "POST /6 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsix\r\n0\r\n\r\n" + get("/7"))
    let bodies = (0..<7).map { _ in harness.response(client)?.body }
    #expect(bodies == ["/1|", "/p|two", "/later/3|", "/4|", "/later/stream", "/6|six", "/7|"])
  }

  @Test func `Requests that came with the end of the stream are all answered`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send(get("/1") + get("/2") + get("/3"))
    client.endSending()
    #expect(harness.ends(client))
    #expect(client.responseCount == 3)
  }

  @Test func `A request that asks for it is the last one of its connection`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send(get("/1", "Connection: close\r\n") + get("/2"))
    let response = try #require(harness.response(client))
    #expect(response.fields["connection"] == "close")
    #expect(harness.ends(client))
    #expect(!client.wasReset)
    #expect(harness.handler.requests.map(\.target) == ["/1"])
    client.close()
    harness.settle()
    #expect(harness.server.connectionCount == 0)
  }

  @Test func `HTTP 1.0 closes by default, keeps on request, and gets streams without chunks`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send("GET /1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    #expect(harness.response(client)?.fields["connection"] == "keep-alive")
    client.send("GET /2 HTTP/1.0\r\nHost: a\r\n\r\n")
    #expect(harness.response(client)?.fields["connection"] == "close")
    #expect(harness.ends(client))
    harness.handler.onRequest = { connection, _ in
      connection.beginStream(status: 200, contentType: "text/event-stream") { $0.append("X: y\r\n") }
      connection.stream("one")
      connection.stream("")
      connection.stream("two")
      connection.endStream()
    }
    let second = try harness.connect()
    second.send("GET /3 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    let response = try #require(harness.response(second))
    #expect(response.fields["transfer-encoding"] == nil)
    #expect(response.fields["connection"] == "close")
    #expect(response.body == "onetwo")
    #expect(second.isAtEnd)
  }

  @Test func `HEAD gets the head alone, of a whole response and of a stream`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send("HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    let response = try #require(harness.response(client, bodiless: true))
    #expect(response.fields["content-length"] == "3")
    #expect(client.received.isEmpty)
    harness.handler.onRequest = { connection, _ in
      connection.beginStream(status: 200, contentType: "text/plain") { _ in }
      connection.stream("content")
      connection.endStream()
    }
    client.send("HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(harness.response(client, bodiless: true)?.fields["transfer-encoding"] == "chunked")
    #expect(client.received.isEmpty)
    harness.handler.onRequest = nil
    client.send(get("/3"))
    #expect(harness.response(client)?.body == "/3|")
  }

  @Test func `What one round streams is one chunk, and an empty round ends nothing`() throws {
    let harness = try Harness()
    var connection: Connection?
    harness.handler.onRequest = { asked, _ in
      asked.beginStream(status: 200, contentType: "text/plain") { _ in }
      connection = asked
    }
    let long = [UInt8](repeating: 120, count: 70_000)
    var rounds = 0
    harness.perRound = {
      guard let asked = connection else { return }
      rounds += 1
      switch rounds {
      case 1...3:
        asked.stream("a")
        asked.stream { $0.append("b\(rounds)") }
      case 4: asked.stream { _ in }
      case 5: asked.stream(long.span)
      default:
        asked.endStream()
        asked.stream("never")
        asked.endStream()
        connection = nil
      }
    }
    let client = try harness.connect()
    client.send(get("/"))
    let response = try #require(harness.response(client))
    #expect(response.chunks.prefix(3) == ["ab1", "ab2", "ab3"])
    #expect(response.chunks.count == 4)
    #expect(response.chunks.last?.count == 70_000)
    harness.handler.onRequest = nil
    client.send(get("/next"))
    #expect(harness.response(client)?.body == "/next|")
  }

  @Test func `A second answer to a request is not sent`() throws {
    let harness = try Harness()
    var kept: Connection?
    harness.handler.onRequest = { connection, request in
      ScriptedHandler.echo(connection, request)
      ScriptedHandler.answer(connection, 500, "again")
      kept = connection
    }
    let client = try harness.connect()
    client.send(get("/1"))
    #expect(harness.response(client)?.body == "/1|")
    if let kept {
      ScriptedHandler.answer(kept, 500, "unasked")
      kept.beginStream(status: 200, contentType: "text/plain") { _ in }
      kept.stream("unasked")
      kept.endStream()
    }
    client.send(get("/2"))
    #expect(harness.response(client)?.body == "/2|")
    #expect(client.received.isEmpty)
  }

  @Test func `A response of another length than announced ends its connection short`() throws {
    let harness = try Harness()
    harness.handler.onRequest = { connection, _ in
      connection.respond(
        status: 200, contentType: "text/plain", length: 5, fields: { _ in }, write: { $0.append("too long") })
    }
    let client = try harness.connect()
    client.send(get("/1") + get("/2"))
    #expect(harness.ends(client))
    #expect(client.responseCount == 1)
    #expect(client.text.hasSuffix("\r\n\r\n"))
  }

  @Test func `The handler may answer while it reads the head and the body`() throws {
    let harness = try Harness()
    harness.handler.onHead = { connection in
      connection.headBytes.withSpan { _ in ScriptedHandler.answer(connection, 200, "at once") }
      return true
    }
    let client = try harness.connect()
    client.send(get("/1") + get("/2"))
    #expect(harness.response(client)?.body == "at once")
    #expect(harness.response(client)?.body == "at once")
    harness.handler.onHead = { _ in false }
    harness.handler.onRequest = { connection, _ in
      connection.body.withSpan { connection.respond(status: 200, contentType: "text/plain", body: $0) }
    }
    client.send(post("mirror") + post("again"))
    #expect(harness.response(client)?.body == "mirror")
    #expect(harness.response(client)?.body == "again")
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test func `An answer while the body is on its way ends the connection, and the request is not handed over again`()
    throws
  {
    let harness = try Harness()
    harness.handler.onBody = { connection in
      if connection.body.count >= 10 { ScriptedHandler.answer(connection, 400, "early") }
    }
    let client = try harness.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + String(repeating: "x", count: 20))
    let response = try #require(harness.response(client))
    #expect(response.status == 400)
    #expect(response.fields["connection"] == "close")
    client.send(String(repeating: "x", count: 99_980) + get("/canary"))
    #expect(harness.ends(client))
    #expect(!client.wasReset)
    #expect(client.received.isEmpty)
    #expect(harness.handler.requests.isEmpty)
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test func `An answer as soon as the body is whole keeps the connection`() throws {
    let harness = try Harness()
    harness.handler.onBody = { connection in
      if connection.body.count == 4 { ScriptedHandler.answer(connection, 200, "whole") }
    }
    let client = try harness.connect()
    client.send(post("body"))
    let response = try #require(harness.response(client))
    #expect(response.fields["connection"] == nil)
    client.send(get("/next"))
    #expect(harness.response(client)?.body == "/next|")
    #expect(harness.handler.requests.count == 1)
  }

  @Test func `A client that expects 100 Continue gets it before the body, or the refusal instead`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send("POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    #expect(harness.response(client)?.status == 100)
    client.send("body")
    #expect(harness.response(client)?.body == "/p|body")
    client.send(
      "POST /p HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    harness.settle()
    client.receive()
    #expect(client.received.isEmpty)
    client.send("body")
    #expect(harness.response(client)?.body == "/p|body")
    client.send("POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
    #expect(harness.response(client)?.status == 413)
    #expect(harness.ends(client))
  }

  @Test func `An upgrade to h2c is ignored and the HTTP 2 preface refused`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send(
      get("/1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"))
    let response = try #require(harness.response(client))
    #expect(response.status == 200)
    #expect(response.fields["upgrade"] == nil)
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    #expect(harness.response(client)?.status == 505)
    #expect(harness.ends(client))
  }

  @Test func `Common fields go out with every response to their request and with none after it`() throws {
    let harness = try Harness()
    harness.handler.onHead = { connection in
      let bytes = connection.headBytes.array()
      if connection.head.value("origin", in: bytes.span) != nil {
        connection.commonFields = Array("X-Allowed: yes\r\n".utf8)
      }
      return false
    }
    let client = try harness.connect()
    client.send(get("/1", "Origin: b\r\n") + get("/2"))
    #expect(harness.response(client)?.fields["x-allowed"] == "yes")
    #expect(harness.response(client)?.fields["x-allowed"] == nil)
    client.send(get("/1", "Origin: b\r\n") + "bare line feed\n")
    #expect(harness.response(client)?.fields["x-allowed"] == "yes")
    let refusal = try #require(harness.response(client))
    #expect(refusal.status == 400)
    #expect(refusal.fields["x-allowed"] == nil)
  }
}

extension String {
  /// How often a text occurs in this one.
  fileprivate func occurrences(of text: String) -> Int {
    let bytes = Array(utf8)
    return bytes.indices.count { bytes[$0...].starts(with: text.utf8) }
  }
}
