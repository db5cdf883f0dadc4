import Testing

@testable import HTTP

@Suite struct OverloadTests {
  private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n" }

  private static let farewell = Array(
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull".utf8)

  @Test func `A bounded count is never passed, and a lower bound lets nobody in until there is room again`() {
    let count = BoundedCount(bound: 3)
    #expect(count.reserve(2))
    #expect(!count.reserve(2))
    #expect(count.hasRoom() && !count.hasRoom(for: 2))
    #expect(count.reserve())
    #expect(!count.hasRoom() && !count.reserve())
    count.setBound(1)
    count.release()
    #expect(count.held == 2 && !count.reserve())
    count.release(2)
    #expect(count.reserve() && !count.reserve())
    #expect(!count.hasRoom(for: .max) && !count.reserve(.max))
  }

  @Test func `Threads that reserve and release at once never pass the bound together`() async {
    let count = BoundedCount(bound: 5)
    let most = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var most = 0
          for _ in 0..<20_000 where count.reserve(2) {
            most = max(most, count.held)
            count.release(2)
          }
          return most
        }
      }
      return await group.reduce(0, max)
    }
    #expect((2...5).contains(most))
    #expect(count.held == 0)
  }

  @Test func `Beyond the bound one request of a connection is read, marked as surplus, and ends it`() throws {
    var limits = ServerLimits()
    limits.connections = BoundedCount(bound: 2)
    let harness = try Harness(limits: limits)
    var surplus: [Bool] = []
    harness.handler.onRequest = { connection, request in
      surplus.append(connection.isSurplus)
      ScriptedHandler.echo(connection, request)
    }
    let clients = try (0..<3).map { _ in try harness.connect() }
    for (index, client) in clients.enumerated() { client.send(get("/\(index)") + get("/\(index)")) }
    harness.settle()
    #expect(harness.server.connectionCount == 3)
    #expect(harness.server.accepted == 3)
    #expect(surplus.count(where: { $0 }) == 1 && surplus.count == 5)
    let last = try #require(harness.response(clients[2]))
    #expect(last.body == "/2|" && last.fields["connection"] == "close")
    #expect(harness.ends(clients[2]))
    clients[2].close()
    clients[0].close()
    harness.settle()
    #expect(limits.connections.held == 1)
    let next = try harness.connect()
    next.send(get("/next"))
    #expect(harness.response(next)?.fields["connection"] == nil)
    #expect(surplus.last == false)
  }

  @Test func `When the surplus is used up, clients are told so without being read, and the close is no reset`() throws {
    var limits = ServerLimits()
    limits.connections = BoundedCount(bound: 1)
    limits.surplusConnections = 1
    let harness = try Harness(limits: limits, farewell: Self.farewell)
    let held = try (0..<2).map { _ in try harness.connect() }
    harness.settle()
    let clients = try (0..<100).map { _ in
      let client = try harness.connect()
      client.send(get("/"))
      return client
    }
    for client in clients {
      #expect(harness.response(client)?.body == "full")
      #expect(harness.ends(client))
      #expect(!client.wasReset)
    }
    #expect(harness.server.turnedAway == 100)
    #expect(harness.server.connectionCount == 2)
    #expect(harness.handler.requests.isEmpty)
    // The one that is read although it is one too many has 2 s to say what it wants.
    harness.pass(seconds: 2.1)
    #expect(harness.ends(held[1]))
    #expect(harness.server.connectionCount == 1)
    #expect(limits.connections.held == 1)
  }

  @Test func `Servers that share a count share its bound`() throws {
    var limits = ServerLimits()
    limits.connections = BoundedCount(bound: 2)
    let (one, other) = (try Harness(limits: limits), try Harness(limits: limits))
    _ = try (one.connect(), other.connect())
    one.settle()
    other.settle()
    #expect(limits.connections.held == 2)
    let third = try other.connect()
    third.send(get("/"))
    #expect(other.response(third)?.fields["connection"] == "close")
    one.server.closeAll()
    #expect(limits.connections.held == 1)
  }

  @Test func `A body that would not fit is refused by its head, before any of it is read`() throws {
    var limits = ServerLimits()
    limits.bodies = BoundedCount(bound: 1_000)
    let harness = try Harness(limits: limits)
    let client = try harness.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
    #expect(harness.response(client)?.status == 503)
    #expect(harness.handler.bodySizes.isEmpty)
    #expect(limits.bodies.held == 0)
  }

  @Test func `A ticket comes back once: with the response's end, or with the connection`() throws {
    let harness = try Harness()
    var waiting: [Connection] = []
    harness.handler.onRequest = { connection, request in
      connection.ticket = request.target.utf8.count
      if request.target == "/stream" {
        connection.beginStream(status: 200, contentType: "text/plain") { _ in }
        connection.stream("begun")
        waiting.append(connection)
      } else if request.target == "/wait" {
        waiting.append(connection)
      } else {
        ScriptedHandler.echo(connection, request)
      }
    }
    let client = try harness.connect()
    client.send(get("/") + get("/stream"))
    #expect(harness.response(client)?.body == "/|")
    harness.settle()
    #expect(harness.handler.tickets == [1])
    harness.perRound = {
      waiting.first?.endStream()
      waiting = []
    }
    harness.settle()
    #expect(harness.response(client)?.body == "begun")
    #expect(harness.handler.tickets == [1, 7])
    harness.perRound = {}
    client.send(get("/wait"))
    harness.settle()
    #expect(harness.handler.tickets == [1, 7])
    client.close()
    harness.settle()
    #expect(harness.handler.tickets == [1, 7, 5])
  }

  @Test func `Work that goes on without its client keeps the ticket until it is over`() throws {
    let harness = try Harness()
    let exchange = NotingExchange()
    var running: Connection?
    exchange.whenLeft = { running?.keepsTicket = true }
    harness.handler.onRequest = { connection, _ in
      connection.ticket = 9
      connection.exchange = exchange
      running = connection
    }
    let client = try harness.connect()
    client.send(get("/"))
    harness.settle()
    client.close()
    harness.settle()
    #expect(exchange.left == 1 && running?.isClosed == true)
    #expect(harness.handler.tickets == [])
    running?.returnTicket()
    running?.returnTicket()
    #expect(harness.handler.tickets == [9])
  }

  @Test func `A handler may say how little of a refused body is read`() throws {
    let harness = try Harness()
    harness.handler.onHead = { connection in
      connection.lingerLimit = 64 << 10
      ScriptedHandler.answer(connection, 503, "full")
      return true
    }
    let client = try harness.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
    harness.settle()
    client.receive()
    #expect(client.text.hasPrefix("HTTP/1.1 503"))
    #expect(harness.server.connectionCount == 1)
    let chunk = [UInt8](repeating: 120, count: 32 << 10)
    // No time passes: it is the amount that ends it.
    #expect(
      harness.runs {
        _ = client.offer(chunk[...])
        return harness.server.connectionCount == 0
      })
  }
}
