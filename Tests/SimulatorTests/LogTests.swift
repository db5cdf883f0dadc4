import FoundationEssentials
import Glibc
import Simulator
import Testing

@Suite struct LogTests {
  struct Line: Decodable {
    var event: String
    var attempt: String?
    var provider: String
    var model: String
    var authorization_seen: Bool
    var status: Int?
    var tokens_sent: Int?
    var finish_sent: Bool?
    var usage: Answer.Usage?
    var closed: String?
    var bytes_sent: Int?
    var time_ms: Int?
  }

  /// Runs `body` against a simulator with a log, and reads the log at once and after the simulator stopped.
  private func logged(_ body: (Simulator) throws -> Void) throws -> (before: [Line], after: [Line]) {
    let path = FileManager.default.temporaryDirectory.path + "/simulator-log-\(UUID().uuidString).jsonl"
    defer { unlink(path) }
    func read() throws -> [Line] {
      let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
      #expect(text.isEmpty || text.hasSuffix("\n"))
      return try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }
    var before: [Line] = []
    try withSimulator(providers: [SimulatedProvider(name: "east")], log: path) { simulator in
      try body(simulator)
      before = try read()
    }
    return (before, try read())
  }

  @Test func whoeverSawTheEndOfAnAnswerFindsItInTheLog() throws {
    let lines = try logged { simulator in
      _ = try RawClient(port: simulator.port).complete(
        "sim-tokens-7", stream: true, path: "/east/v1/chat/completions",
        fields: "x-pointsman-attempt: 01\"9\r\nauthorization: Bearer sim\r\n",
        members: ",\"n\":2,\"stream_options\":{\"include_usage\":true}")
    }.before
    #expect(lines.map(\.event) == ["received", "ended"])
    #expect(lines.allSatisfy { $0.attempt == "01\"9" && $0.provider == "east" && $0.authorization_seen })
    #expect(lines[1].tokens_sent == 14)
    #expect(lines[1].usage == Answer.Usage(prompt: 9, completion: 14))
    #expect(lines[1].closed == "complete" && lines[1].status == 200 && lines[1].finish_sent == true)
  }

  @Test func aCutAnswerIsLoggedWithTheTokensThatWentOutWhole() throws {
    let lines = try logged { simulator in
      for model in ["sim-cut-at-0900", "sim-rst-at-0900", "sim-cutclean-at-0900", "sim-429", "sim-no-headers"] {
        let reply = try RawClient(port: simulator.port).complete(model, stream: true)
        #expect(reply.events.count { $0.hasSuffix("}") && $0.contains("\"content\":\"") } < 5)
      }
    }.before.filter { $0.event == "ended" }
    #expect(lines.map(\.closed) == ["cut", "reset", "cut-clean", "complete", "closed"])
    // The role's event and those of two tokens fit into 900 bytes.
    #expect(lines.map(\.tokens_sent) == [2, 2, 2, 0, 0])
    #expect(lines.map(\.status) == [200, 200, 200, 429, 200])
    #expect(lines.allSatisfy { $0.usage == nil && $0.attempt == nil })
    #expect(lines.allSatisfy { !$0.authorization_seen && $0.finish_sent == false })
  }

  @Test func aClientThatLeavesIsLoggedAndSoIsOneThatIsLeft() throws {
    let lines = try logged { simulator in
      for model in ["sim-silent", "sim-half-headers", "sim-stall-at-3", "sim-endless", "sim-slow-headers-100000"] {
        let ended = simulator.counters.ended
        let received = simulator.counters.received
        do {
          let client = try RawClient(port: simulator.port)
          client.post("/v1/chat/completions", "{\"model\":\"\(model)\",\"stream\":true,\"messages\":[]}")
          #expect(reached { simulator.counters.received == received + 1 })
        }
        #expect(reached { simulator.counters.ended == ended + 1 })
      }
      let stays = try RawClient(port: simulator.port)
      stays.post("/v1/chat/completions", "{\"model\":\"sim-silent\",\"messages\":[]}")
      #expect(reached { simulator.counters.received == 6 })
      simulator.stop()
      #expect(stays.readReply().end == .finish)
    }.after.filter { $0.event == "ended" }
    #expect(lines.prefix(5).allSatisfy { $0.closed == "client-left" })
    #expect(lines.count == 6 && lines[5].closed == "stopped")
    #expect(lines[0].bytes_sent == 0 && lines[2].tokens_sent == 3)
  }

  @Test func aRequestOnAStaleConnectionIsAnAttemptToo() throws {
    let lines = try logged { simulator in
      let client = try RawClient(port: simulator.port)
      _ = client.complete("sim-stale")
      _ = client.complete("sim", fields: "x-pointsman-attempt: two\r\n")
    }.before
    #expect(lines.map(\.event) == ["received", "ended", "received", "ended"])
    #expect(lines[3].closed == "stale" && lines[3].attempt == "two" && lines[3].bytes_sent == 0)
  }

  @Test func aLongRequestIsReadSlowlyAndMayBeGivenUp() throws {
    let lines = try logged { simulator in
      let received = simulator.counters.received
      do {
        let client = try RawClient(port: simulator.port)
        let prompt = String(repeating: "x", count: 100_000)
        client.post("/v1/chat/completions", "{\"model\":\"sim-slow-read\",\"messages\":[\"\(prompt)\"]}")
        #expect(reached { simulator.counters.received == received + 1 })
        #expect(simulator.counters.ended == 0)
      }
      #expect(reached { simulator.counters.ended == 1 })
    }.before
    #expect(lines.last?.closed == "client-left" && lines.last?.bytes_sent == 0)
  }

  @Test func countersAreOfAllThreads() throws {
    try withSimulator(threads: 2) { simulator in
      for _ in 0..<20 {
        _ = try RawClient(port: simulator.port).complete("sim-tokens-3")
      }
      #expect(reached { simulator.counters == .init(received: 20, ended: 20, tokensSent: 60, connections: 20) })
    }
  }

  @Test func mistakesInTheStartAreNamed() {
    #expect(throws: SimulatorError.self) { try Simulator.start(providers: [SimulatedProvider(name: "a/b")]) }
    #expect(throws: SimulatorError.self) { try Simulator.start(providers: [SimulatedProvider(name: "v1")]) }
    #expect(throws: SimulatorError.self) {
      try Simulator.start(providers: [SimulatedProvider(name: "a", tokensPerSecond: .nan)])
    }
    #expect(throws: SimulatorError.self) { try Simulator.start(host: "not an address") }
    #expect(throws: SimulatorError.self) { try Simulator.start(log: "/nowhere/at/all") }
  }
}
