import Testing

@testable import HTTP

@Suite struct ServerLimitTests {
  private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

  /// Sends as much as the server takes while rounds go by.
  private func offer(_ bytes: [UInt8], _ client: Client, _ harness: Harness) {
    var sent = 0
    _ = harness.runs {
      client.receive()
      sent += client.offer(bytes[sent...])
      return sent == bytes.count || client.isAtEnd
    }
  }

  @Test func `A body over the limit is refused by its length, and by what came when it has none`() throws {
    let handler = ScriptedHandler()
    handler.limit = 1_000
    let harness = try Harness(handler)
    let announced = try harness.connect()
    announced.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
    #expect(harness.response(announced)?.status == 413)
    #expect(harness.ends(announced))
    let chunked = try harness.connect()
    chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    let chunk = "64\r\n\(String(repeating: "x", count: 100))\r\n"
    chunked.send(String(repeating: chunk, count: 11))
    #expect(harness.response(chunked)?.status == 413)
    let fitting = try harness.connect()
    fitting.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    fitting.send(String(repeating: chunk, count: 10) + "0\r\n\r\n")
    #expect(harness.response(fitting)?.status == 200)
    #expect(handler.requests.count == 1)
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test func `A client that goes on sending a refused body can still read why`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
    offer([UInt8](repeating: 120, count: 8_000_000), client, harness)
    #expect(harness.ends(client))
    #expect(!client.wasReset)
    #expect(client.takeResponse()?.status == 413)
  }

  @Test func `A request line over 8 KiB gets 414, before its end has come`() throws {
    let harness = try Harness()
    let whole = try harness.connect()
    whole.send(get("/" + String(repeating: "x", count: 8_200)))
    #expect(harness.response(whole)?.status == 414)
    let endless = try harness.connect()
    endless.send("GET /" + String(repeating: "x", count: 9_000))
    #expect(harness.response(endless)?.status == 414)
    #expect(harness.ends(endless))
    let fitting = try harness.connect()
    fitting.send(get("/" + String(repeating: "x", count: 8_000)))
    #expect(harness.response(fitting)?.status == 200)
  }

  @Test func `Ten thousand header fields and ten megabytes of them get 431`() throws {
    let harness = try Harness()
    let start = "GET / HTTP/1.1\r\nHost: a\r\n"
    let many = try harness.connect()
    offer(Array((start + String(repeating: "X-Field: value\r\n", count: 10_000) + "\r\n").utf8), many, harness)
    #expect(harness.response(many)?.status == 431)
    #expect(harness.ends(many))
    let some = try harness.connect()
    some.send(start + String(repeating: "X: y\r\n", count: 100) + "\r\n")
    #expect(harness.response(some)?.status == 431)
    let big = try harness.connect()
    offer(Array("\(start)X: ".utf8) + [UInt8](repeating: 120, count: 10_000_000) + Array("\r\n\r\n".utf8), big, harness)
    #expect(harness.response(big)?.status == 431)
    #expect(harness.ends(big))
    #expect(!big.wasReset)
    let fitting = try harness.connect()
    offer(Array((start + "X: \(String(repeating: "x", count: 65_000))\r\n\r\n").utf8), fitting, harness)
    #expect(harness.response(fitting)?.status == 200)
  }

  @Test func `Bodies of all connections together are bounded, and what ends gives its share back`() throws {
    var limits = ServerLimits()
    limits.bodies = BoundedCount(bound: 1_000)
    let harness = try Harness(limits: limits)
    let first = try harness.connect()
    first.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n" + String(repeating: "x", count: 800))
    harness.settle()
    #expect(harness.server.limits.bodies.held == 800)
    let second = try harness.connect()
    second.send("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n" + String(repeating: "x", count: 300))
    #expect(harness.response(second)?.status == 503)
    #expect(harness.server.limits.bodies.held == 800)
    first.close()
    harness.settle()
    #expect(harness.server.limits.bodies.held == 0)
    let third = try harness.connect()
    third.send("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n" + String(repeating: "x", count: 900))
    #expect(harness.response(third)?.status == 200)
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test func `A released body is no longer part of the sum`() throws {
    let harness = try Harness()
    var released = 0
    harness.handler.onBody = { connection in
      #expect(harness.server.limits.bodies.held == connection.body.count)
      released += connection.body.count
      connection.releaseBody()
      #expect(harness.server.limits.bodies.held == 0)
    }
    let client = try harness.connect()
    client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + String(repeating: "x", count: 40))
    harness.settle()
    client.send(String(repeating: "x", count: 60))
    #expect(harness.response(client)?.body == "/1|")
    #expect(released == 100)
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test func `The body of the next request is of another generation`() throws {
    let harness = try Harness()
    var generations: [UInt64] = []
    harness.handler.onRequest = { connection, request in
      generations.append(connection.bodyGeneration)
      ScriptedHandler.echo(connection, request)
      #expect(connection.bodyGeneration == generations.last)
    }
    let client = try harness.connect()
    for name in ["/1", "/2", "/3"] {
      client.send("POST \(name) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
      #expect(harness.response(client)?.body == "\(name)|hi")
    }
    #expect(Set(generations).count == 3)
  }

  // MARK: - Time

  @Test func `A connection that sends nothing for 10 s is closed without a word`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    harness.settle()
    harness.pass(seconds: 9.9)
    #expect(harness.server.connectionCount == 1)
    harness.pass(seconds: 0.2)
    #expect(harness.ends(client))
    #expect(client.received.isEmpty)
  }

  @Test func `A head that trickles in gets 408 ten seconds after the start, however often a byte comes`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    harness.settle()
    for byte in Array("GET / HTTP/1.1\r\n".utf8.prefix(9)) {
      client.send([byte])
      harness.settle()
      harness.pass(seconds: 1)
    }
    client.receive()
    #expect(!client.isAtEnd)
    harness.pass(seconds: 1.1)
    #expect(harness.response(client)?.status == 408)
    #expect(harness.ends(client))
  }

  /// Begins a request whose body has a length, or is chunked when it has none.
  private func post(_ length: Int?, _ harness: Harness) throws -> Client {
    harness.handler.limit = 8 << 20
    let client = try harness.connect()
    let framing = length.map { "Content-Length: \($0)" } ?? "Transfer-Encoding: chunked"
    client.send("POST / HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
    harness.settle()
    return client
  }

  @Test func `A body that stands still for 30 s gets 408, one that moves does not`() throws {
    let harness = try Harness()
    let client = try post(6 << 20, harness)
    // 16 s more for each MiB.
    for _ in 0..<4 {
      offer([UInt8](repeating: 120, count: 1 << 20), client, harness)
      harness.settle()
      harness.pass(seconds: 20)
    }
    harness.pass(seconds: 9)
    client.receive()
    #expect(client.received.isEmpty)
    harness.pass(seconds: 2)
    #expect(harness.response(client)?.status == 408)
    #expect(harness.handler.refusals.last?.message.description.contains("stood still") == true)
    #expect(harness.ends(client))
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test(arguments: [100_000, nil])
  func `A body that trickles in gets 408 after 30 s, however often a byte comes`(_ length: Int?) throws {
    let harness = try Harness()
    let client = try post(length, harness)
    for _ in 0..<29 {
      client.send(length == nil ? "1\r\nx\r\n" : "x")
      harness.settle()
      harness.pass(seconds: 1)
    }
    client.receive()
    #expect(client.received.isEmpty)
    harness.pass(seconds: 1.1)
    #expect(harness.response(client)?.status == 408)
    #expect(harness.handler.refusals.last?.message.description.contains("too slowly") == true)
    #expect(harness.ends(client))
    #expect(harness.server.limits.bodies.held == 0)
  }

  @Test func `A body of 64 KiB a second may take as long as it is`() throws {
    let harness = try Harness()
    let client = try post(6 << 20, harness)
    for _ in 0..<6 {
      harness.pass(seconds: 16)
      offer([UInt8](repeating: 120, count: 1 << 20), client, harness)
      harness.settle()
    }
    #expect(harness.response(client)?.status == 200)
  }

  @Test func `Between requests a connection waits 75 s, then 10 s for a head that has begun`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send(get("/1"))
    #expect(harness.response(client)?.status == 200)
    harness.pass(seconds: 70)
    client.send("GET ")
    harness.settle()
    harness.pass(seconds: 9)
    client.send("/2 HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(harness.response(client)?.body == "/2|")
    harness.pass(seconds: 74)
    #expect(harness.server.connectionCount == 1)
    harness.pass(seconds: 2)
    #expect(harness.ends(client))
    #expect(client.received.isEmpty)
    let second = try harness.connect()
    second.send(get("/3") + "GET ")
    #expect(harness.response(second)?.body == "/3|")
    harness.pass(seconds: 11)
    #expect(harness.response(second)?.status == 408)
  }

  @Test func `A response may take as long as it likes`() throws {
    let harness = try Harness()
    var owed: (Connection, Received)?
    harness.handler.onRequest = { owed = ($0, $1) }
    let client = try harness.connect()
    client.send(get("/slow"))
    harness.settle()
    harness.pass(seconds: 3_600)
    if let (connection, request) = owed { ScriptedHandler.echo(connection, request) }
    #expect(harness.response(client)?.body == "/slow|")
  }

  @Test func `A client that does not close after the last response is closed after 2 s`() throws {
    let harness = try Harness()
    let client = try harness.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(harness.ends(client))
    #expect(harness.server.connectionCount == 1)
    harness.pass(seconds: 2.1)
    #expect(harness.server.connectionCount == 0)
  }
}
