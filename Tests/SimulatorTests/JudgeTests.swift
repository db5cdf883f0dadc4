import Foundation
import Testing

@testable import Simulator

/// The judge's own accounts, and what it is a judge of.
struct JudgeTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Traces").path()

  private static func traces(_ names: String...) throws -> [JudgeTrace] {
    let traces = try Judge.traces(in: folder)
    return names.isEmpty ? traces : traces.filter { names.contains($0.name) }
  }

  @Test func `the same traces and seeds give the same verdict, bit for bit, and other seeds another`() throws {
    let traces = try Self.traces("churn", "price spikes")
    let once = try Judge.run(traces: traces, seeds: 3...3)
    let again = try Judge.run(traces: traces, seeds: 3...3)
    #expect(once == again && once.text == again.text)
    #expect(try once.json == again.json)
    #expect(try Judge.run(traces: traces, seeds: 4...4) != once)
    #expect(try JSONDecoder().decode(JudgeVerdict.self, from: once.json) == once)
  }

  // MARK: - Accounts

  /// One provider at 1, 0.1 and 2 USD per million tokens; two turns of 100 + 10 and 160 + 10 tokens.
  private static func small(_ rest: String = "", answer: Int = 10, events: String = "") throws -> JudgeTrace {
    try JudgeTrace(
      json: Data(
        """
        { "name": "small", "about": "", "length": 1000, "listEvery": 10,
          "fleet": [ { "name": "only", "input": 1, "cached": 0.1, "output": 2, "firstToken": 1, "tokensPerSecond": 10,
                       "concurrency": 1\(rest) } ],
          "events": [\(events)],
          "agents": [ { "count": 1, "arrive": 5, "turns": 2, "system": 50, "text": 50, "answer": \(answer), "think": 20 } ] }
        """.utf8))
  }

  private static func play(_ trace: JudgeTrace, seed: UInt64 = 1) throws -> JudgedScore {
    JudgedRun.score(
      try PointsmanChooser("price", policy: "price", seed: seed), in: JudgedWorld(trace, seed: seed))
  }

  @Test func `what providers bill is exact: cached tokens at their price, the rest at the price of input`() throws {
    let turns = try Self.play(try Self.small()).turns[0]
    #expect(turns.map(\.prompt) == [100, 160])
    // The second prompt begins with the first and its answer.
    #expect(turns.map(\.cached) == [0, 110])
    #expect(turns.map(\.cost) == [120_000_000, 50_000_000 + 11_000_000 + 20_000_000])
    let plain = try Self.play(try Self.small(", \"keepsAnswers\": false")).turns[0]
    #expect(plain.map(\.cached) == [0, 100])
    let short = try Self.play(try Self.small(", \"cacheLife\": 10")).turns[0]
    #expect(short.map(\.cached) == [0, 0])
    let crowded = try Self.play(try Self.small(", \"cacheTokens\": 20")).turns[0]
    #expect(crowded.map(\.cached) == [0, 0])
  }

  @Test func `a refused turn is sent again three times, costs nothing, and is no success`() throws {
    let down = #"{ "kind": "outage", "of": "only", "at": 0, "lasts": 10, "fails": 1 }"#
    let turns = try Self.play(try Self.small(events: down)).turns[0]
    // It comes at 5 s and fails, again about 1 s and 5 s later; then the outage is over.
    #expect(turns[0].isAnswered && turns[0].refusals == 2 && turns[0].cost == 120_000_000)
    #expect(turns[1].isAnswered && turns[1].refusals == 0)
    let gone = #"{ "kind": "outage", "of": "only", "at": 0, "fails": 1 }"#
    let none = try Self.play(try Self.small(events: gone)).turns[0]
    #expect(none.allSatisfy { !$0.isAnswered && $0.refusals == 4 && $0.cost == 0 })
  }

  @Test func `an answer that breaks off is paid as far as it came, and its turn is paid again`() throws {
    // Answers of 30 s on nodes that live for a minute.
    let trace = try Self.small(", \"nodeLife\": 60, \"absence\": 1", answer: 300)
    var broken = 0
    for seed: UInt64 in 1...20 {
      let turn = try Self.play(trace, seed: seed).turns[0][0]
      guard turn.isAnswered else { continue }
      let whole: Int64 = 100_000_000 + 600_000_000
      if turn.breaks == 0 {
        #expect(turn.cost == whole)
      } else {
        broken += 1
        #expect(turn.cost > whole + 100_000_000 && turn.cost < whole * Int64(turn.breaks + 1), "seed \(seed)")
      }
    }
    #expect(broken > 3)
  }

  @Test func `the oracle answers every turn that can be answered, and nobody is cheaper`()
    throws
  {
    let world = JudgedWorld(try Self.small(), seed: 1)
    let best = Oracle.score(in: world).turns[0]
    #expect(best.allSatisfy { $0.isAnswered })
    // The shared system prompt counts as cached everywhere.
    #expect(best.map(\.cached) == [50, 110])
    for trace in try Self.traces("steady chat", "churn") {
      for seed: UInt64 in [21] {
        let world = JudgedWorld(trace, seed: seed)
        let oracle = Oracle.score(in: world)
        #expect(oracle.turns.joined().allSatisfy { $0.isAnswered })
        for chooser in try Judge.choosers(seed: seed, nil) {
          var sums = JudgedSums()
          sums.add(JudgedRun.score(chooser, in: world), oracle: oracle)
          #expect(sums.costRatio > 0.99, "\(trace.name), \(seed), \(chooser.name)")
        }
      }
    }
  }

  @Test func `routers hear of a price at the next reading of the list, providers bill it at once`() throws {
    let spike = #"{ "kind": "price", "of": "only", "at": 15, "lasts": 20, "times": 3 }"#
    let world = JudgedWorld(try Self.small(events: spike), seed: 1)
    func input(_ seconds: Double) -> (Int64, Int64?) {
      let now = JudgeTime.at(seconds)
      return (world.endpoints[0].price(at: now).input, world.knownPrice(0, at: now)?.input)
    }
    #expect(input(14) == (1_000_000, 1_000_000))
    #expect(input(16) == (3_000_000, 1_000_000))
    #expect(input(20) == (3_000_000, 3_000_000))
    #expect(input(36) == (1_000_000, 3_000_000))
    #expect(input(40) == (1_000_000, 1_000_000))
    #expect(world.notices == [JudgeTime.at(20), JudgeTime.at(40)])
  }

  // MARK: - Files

  @Test(arguments: [
    (#"{"#, "JSON"), (#""length": 0"#, "length"), (#""count": 0"#, "count"), (#""arrive": [5, 1]"#, "range"),
    (#""of": "nobody""#, "nobody"),
  ])
  func `a trace that makes no world is refused`(_ change: (String, String)) throws {
    let good = #"""
      { "name": "n", "about": "", "length": 10, "listEvery": 10,
        "fleet": [ { "name": "a", "input": 1, "output": 1, "firstToken": 1, "tokensPerSecond": 1, "concurrency": 1 } ],
        "events": [ { "kind": "outage", "of": "a", "at": 1 } ],
        "agents": [ { "count": 1, "arrive": [1, 5], "turns": 1, "system": 0, "text": 1, "answer": 1, "think": 0 } ] }
      """#
    #expect(throws: Never.self) { try JudgeTrace(json: Data(good.utf8)) }
    var bad = good
    switch change.1 {
    case "JSON": bad = change.0
    case "length": bad = good.replacingOccurrences(of: #""length": 10"#, with: change.0)
    case "count": bad = good.replacingOccurrences(of: #""count": 1"#, with: change.0)
    case "range": bad = good.replacingOccurrences(of: #""arrive": [1, 5]"#, with: change.0)
    default: bad = good.replacingOccurrences(of: #""of": "a""#, with: change.0)
    }
    #expect(throws: (any Error).self) { try JudgeTrace(json: Data(bad.utf8)) }
  }
}
