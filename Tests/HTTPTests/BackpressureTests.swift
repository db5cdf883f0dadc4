import Testing

@testable import HTTP

@Suite struct BackpressureTests {
  private static let piece = [UInt8](repeating: 120, count: 64 << 10)
  private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

  /// A stream to a client that does not read, full up to the high mark.
  private func blockedStream(_ harness: Harness) throws -> (Client, Connection, NotingExchange) {
    let exchange = NotingExchange()
    var found: Connection?
    harness.handler.onRequest = { connection, _ in
      connection.exchange = exchange
      connection.beginStream(status: 200, contentType: "text/plain") { _ in }
      found = connection
    }
    harness.perRound = {
      if let connection = found, !connection.isClosed, !connection.isOverHighMark { connection.stream(Self.piece.span) }
    }
    let client = try harness.connect(receiveBuffer: 4_096)
    client.send(request)
    #expect(harness.runs { found?.isOverHighMark ?? false })
    harness.perRound = {}
    return (client, try #require(found), exchange)
  }

  @Test func `A slow client raises the high mark, and its reading tells the exchange once`() throws {
    let harness = try Harness()
    let (client, connection, exchange) = try blockedStream(harness)
    #expect(exchange.drained == 0)
    // One write's worth above the mark and no more is held.
    #expect(connection.output.count <= 512 << 10)
    var sizes: [Int] = []
    exchange.whenDrained = { sizes.append(connection.output.count) }
    #expect(
      harness.runs {
        client.receive()
        return exchange.drained > 0
      })
    #expect(sizes.allSatisfy { $0 <= harness.server.limits.outputLow })
    #expect(!connection.isOverHighMark)
    connection.endStream()
    let response = try #require(harness.response(client))
    #expect(response.body.utf8.allSatisfy { $0 == 120 })
    #expect(response.body.utf8.count % Self.piece.count == 0)
    #expect(exchange.drained == 1)
    #expect(exchange.left == 0)
    client.send(request)
    harness.handler.onRequest = nil
    #expect(harness.response(client)?.body == "/|")
  }

  @Test func `A client that takes nothing for 60 s is left, even while a little more comes for it now and then`() throws
  {
    let harness = try Harness()
    let (client, connection, exchange) = try blockedStream(harness)
    for _ in 0..<5 {
      harness.pass(seconds: 11)
      connection.stream(": still here\n\n")
      harness.settle()
    }
    #expect(exchange.left == 0)
    harness.pass(seconds: 6)
    #expect(exchange.left == 1)
    #expect(connection.isClosed)
    #expect(harness.server.connectionCount == 0)
    _ = client
  }

  @Test func `A client that reads slowly but reads is not left`() throws {
    let harness = try Harness()
    let (client, connection, exchange) = try blockedStream(harness)
    for _ in 0..<10 {
      harness.pass(seconds: 40)
      let before = connection.output.count
      #expect(
        harness.runs {
          client.receive(atMost: 64 << 10)
          return connection.output.count < before || connection.output.count == 0
        })
    }
    #expect(exchange.left == 0)
    #expect(!connection.isClosed)
  }

  @Test func `Pipelined input is kept up to a bound while a response is under way, and served afterwards`() throws {
    let harness = try Harness()
    let (client, connection, exchange) = try blockedStream(harness)
    let flood = Array(String(repeating: "GET /next HTTP/1.1\r\nHost: a\r\n\r\n", count: 10_000).utf8)
    var sent = 0
    for _ in 0..<50 {
      sent += client.offer(flood[sent...])
      harness.settle()
    }
    #expect(connection.input.count <= Connection.pipelineLimit + Connection.readStep)
    // Although reading has stopped, the socket's room is still waited for.
    #expect(
      harness.runs {
        client.receive()
        return exchange.drained > 0
      })
    harness.handler.onRequest = nil
    connection.endStream()
    let total = 10_000
    #expect(
      (0..<40).contains { _ in
        harness.runs {
          client.receive()
          sent += client.offer(flood[sent...])
          return harness.handler.requests.count == total + 1
        }
      })
    #expect(exchange.left == 0)
  }

  @Test func `Requests are not taken on while their answers are not read`() throws {
    let harness = try Harness()
    let body = [UInt8](repeating: 120, count: 200_000)
    harness.handler.onRequest = { connection, _ in
      connection.respond(status: 200, contentType: "text/plain", body: body.span)
    }
    let client = try harness.connect(receiveBuffer: 4_096)
    let flood = Array(String(repeating: request, count: 5_000).utf8)
    var sent = 0
    for _ in 0..<100 {
      sent += client.offer(flood[sent...])
      harness.settle()
    }
    let answered = harness.handler.requests.count
    // What the system's buffers hold, one response over the mark, and nothing like 5,000 of them.
    #expect(answered < 200)
    let seen = client.received.count
    #expect(
      harness.runs {
        client.receive()
        return harness.handler.requests.count > answered + 20
      })
    #expect(client.received.count > seen)
    harness.pass(seconds: 61)
    harness.pass(seconds: 61)
    #expect(harness.server.connectionCount == 0)
  }

  @Test func `No more is read than is needed while requests wait to be parsed`() throws {
    let harness = try Harness()
    var held = 0
    harness.handler.onRequest = { connection, request in
      held = max(held, connection.input.count)
      ScriptedHandler.echo(connection, request)
    }
    let client = try harness.connect()
    let flood = Array(String(repeating: request, count: 4_000).utf8)
    var sent = 0
    #expect(
      harness.runs {
        client.receive()
        sent += client.offer(flood[sent...])
        return harness.handler.requests.count == 4_000
      })
    #expect(held <= 2 * Connection.readStep)
  }

  @Test func `A client that leaves is told to the exchange once, by whatever way it leaves`() throws {
    for halfCloses in [true, false] {
      let harness = try Harness()
      let exchange = NotingExchange()
      harness.handler.onRequest = { connection, _ in connection.exchange = exchange }
      let client = try harness.connect()
      client.send(request)
      harness.settle()
      if halfCloses { client.endSending() } else { client.close() }
      harness.settle()
      #expect(exchange.left == 1)
      #expect(harness.server.connectionCount == 0)
    }
  }

  @Test func `A client that leaves in the middle of its body is told to the exchange that reads it`() throws {
    let harness = try Harness()
    let exchange = NotingExchange()
    harness.handler.onHead = { connection in
      connection.exchange = exchange
      return false
    }
    let client = try harness.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
    harness.settle()
    client.close()
    harness.settle()
    #expect(exchange.left == 1)
    #expect(harness.server.limits.bodies.held == 0)
    #expect(harness.handler.requests.isEmpty)
  }

  @Test func `A response end waits until its record is durable, and what came before it does not wait for ever`() throws
  {
    let harness = try Harness()
    harness.handler.onRequest = { connection, request in
      connection.needsDurability = true
      ScriptedHandler.echo(connection, request)
    }
    harness.durable.isSo = false
    let client = try harness.connect()
    client.send(request)
    harness.settle()
    client.receive()
    #expect(client.received.isEmpty)
    #expect(harness.server.flush())
    harness.durable.isSo = true
    #expect(harness.response(client)?.body == "/|")
    #expect(!harness.server.flush())
    harness.durable.isSo = false
    client.send(request)
    harness.settle()
    client.close()
    harness.settle()
    #expect(harness.server.connectionCount == 0)
    #expect(!harness.server.flush())
  }

  // MARK: - Draining

  @Test func `Draining lets a running exchange end, serves what has come, closes what is idle and takes nobody new`()
    throws
  {
    let harness = try Harness()
    var owed: (Connection, Received)?
    harness.handler.onRequest = { connection, request in
      if request.target == "/slow" { owed = (connection, request) } else { ScriptedHandler.echo(connection, request) }
    }
    let idle = try harness.connect()
    idle.send(request)
    #expect(harness.response(idle)?.status == 200)
    let running = try harness.connect()
    running.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    harness.settle()
    let sending = try harness.connect()
    sending.send("GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n")
    harness.server.drain()
    harness.server.drain()
    #expect(harness.ends(idle))
    let waiting = try #require(harness.response(sending))
    #expect(waiting.body == "/waiting|")
    #expect(waiting.fields["connection"] == "close")
    #expect(harness.ends(sending))
    #expect(throws: Client.Failure.self) { try harness.connect() }
    if let (connection, request) = owed { ScriptedHandler.echo(connection, request) }
    let last = try #require(harness.response(running))
    #expect(last.body == "/slow|")
    #expect(last.fields["connection"] == "close")
    for client in [idle, running, sending] { client.close() }
    harness.settle()
    #expect(harness.server.connectionCount == 0)
  }

  @Test func `What is not an address cannot be listened on`() throws {
    let harness = try Harness()
    #expect(throws: (any Error).self) {
      try Server(loop: harness.loop, host: "not an address", port: 0, handler: harness.handler)
    }
  }
}
