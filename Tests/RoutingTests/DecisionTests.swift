import Catalog
import Testing
import Wire

@testable import Routing

@Suite struct DecisionTests {
  static let cheapAndDear = [
    "price: { input: 1, output: 2 }", "price: { input: 0.5, output: 1 }", "price: { input: 2, output: 4 }",
  ]

  @Test func `the price policy puts the lowest expected cost first, and an unknown price last`() throws {
    let fleet = try Fleet(Self.cheapAndDear + [""], route: "policy: price")
    #expect(fleet.plan(Fleet.question()) == [1, 0, 2, 3])
  }

  @Test func `what an endpoint holds in its cache is charged at its cache price`() throws {
    let fleet = try Fleet(
      ["price: { input: 1, cached_input: 0.1, output: 1 }", "price: { input: 0.6, output: 1 }"], route: "policy: price")
    #expect(fleet.plan(Fleet.question()) == [1, 0])
    let question = Fleet.question {
      $0.held = [
        HeldPrefix(
          endpoint: fleet.table.endpoints[0].key, tokens: 900, yield: 1, isHolder: true, madeSignatures: false)
      ]
    }
    #expect(fleet.plan(question) == [0, 1])
  }

  @Test func `terms add up to the score, whatever the policy`() throws {
    for policy in ["default", "price", "latency", "throughput", "balanced", "least_busy", "order", "weighted"] {
      var fleet = try Fleet(Self.cheapAndDear, route: "policy: \(policy)")
      fleet.estimates[1].firstToken = 0.2
      fleet.estimates[2].throughput = 90
      fleet.health.attemptStarted(endpoint: 0)
      for candidate in fleet.explain(Fleet.question()).candidates {
        let score = try #require(candidate.score)
        let sum = candidate.terms.reduce(0) { $0 + $1.value }
        #expect(abs(sum - score) <= 1e-9 * max(abs(score), 1), "\(policy)")
      }
    }
  }

  @Test func `latency and throughput go by what was seen, and count what fails`() throws {
    var fleet = try Fleet(Self.cheapAndDear, route: "policy: latency")
    fleet.estimates[0].firstToken = 0.5
    fleet.estimates[1].firstToken = 0.4
    fleet.estimates[2].firstToken = 0.45
    fleet.estimates[1].failureRate = 0.5
    var limits = Fleet.question()
    limits.controls = RequestControls()
    limits.controls?.sort = .latency
    #expect(fleet.plan(limits) == [2, 0, 1])
    fleet.estimates[1].throughput = 200
    fleet.estimates[1].failureRate = 0
    limits.controls?.sort = .throughput
    #expect(fleet.plan(limits).first == 1)
  }

  @Test func `least busy spreads evenly among equals`() throws {
    let fleet = try Fleet(["", "", ""], route: "policy: least_busy")
    var random = FastRandom(seed: 5)
    var first = [0, 0, 0]
    for _ in 0..<3_000 { first[fleet.plan(Fleet.question(), &random)[0]] += 1 }
    for count in first { #expect(abs(count - 1_000) < 3 * 26) }
    fleet.health.attemptStarted(endpoint: 0)
    fleet.health.attemptStarted(endpoint: 2)
    #expect(fleet.plan(Fleet.question(), &random)[0] == 1)
  }

  @Test func `setbacks put a candidate behind whatever its score, the laggard last`() throws {
    var fleet = try Fleet(
      [
        "price: { input: 1, output: 1 }", "price: { input: 2, output: 2 }", "price: { input: 3, output: 3 }",
        "price: { input: 4, output: 4 }",
      ], route: "policy: price")
    fleet.estimates[0].isLagging = true
    fleet.health.record(endpoint: 1, succeeded: false, now: 5)
    fleet.health.limit(endpoint: 2, key: 0, for: 1_000, now: 5)
    #expect(fleet.plan(Fleet.question(), now: 6) == [3, 2, 1, 0])
    let explained = fleet.explain(Fleet.question(), now: 6)
    #expect(explained.candidates.map(\.setbacks.count) == [0, 1, 1, 1])
  }

  @Test func `an endpoint that returns from an outage gets a growing share`() throws {
    let fleet = try Fleet(
      ["price: { input: 1, output: 1 }", "price: { input: 2, output: 2 }"], route: "policy: price")
    fleet.health.record(endpoint: 0, succeeded: false, now: 1)
    fleet.health.record(endpoint: 0, succeeded: true, now: 10)
    var random = FastRandom(seed: 3)
    func share(at now: UInt64) -> Double {
      var first = 0
      for _ in 0..<2_000 where fleet.plan(Fleet.question(), now: now, &random)[0] == 0 { first += 1 }
      return Double(first) / 2_000
    }
    #expect(abs(share(at: 11) - 0.1) < 0.03)
    #expect(abs(share(at: 10 + EndpointHealth.returnRamp / 2) - 0.55) < 0.04)
    #expect(share(at: 10 + EndpointHealth.returnRamp) == 1)
  }

  // MARK: - Filters

  @Test func `each filter gives its reason`() throws {
    let cases: [(String, String, (inout Question) -> Void, String)] = [
      ("context: 500", "", { _ in }, "context_length"),
      ("max_output: 100", "", { $0.maxOutput = 101 }, "max_tokens"),
      ("parameters: [temperature]", "", { $0.parameters = .tools }, "require_parameters"),
      ("inputs: [text]", "", { $0.modalities = .image }, "modality"),
      ("quantization: fp8", "limits: { quantizations: [bf16] }", { _ in }, "quantization"),
      ("price: { input: 2, output: 2 }", "limits: { max_price: { input: 1 } }", { _ in }, "max_price"),
      ("", "limits: { max_price: { input: 1 } }", { _ in }, "max_price"),
      ("region: us-east-1", "limits: { regions: [eu] }", { _ in }, "data_region"),
      ("quality: 0.4", "limits: { quality: 0.5 }", { _ in }, "quality"),
      ("", "limits: { ignore: [p0] }", { _ in }, "allowed_providers"),
      ("data: { trains: true }", "limits: { data_collection: deny }", { _ in }, "data_policy:training"),
      ("data: { trains: false, retains: true }", "limits: { zdr: true }", { _ in }, "data_policy:zdr"),
      ("price: { input: 1, output: 1 }", "", { $0.variant = .free }, "free"),
      ("tier: flex", "", { _ in }, "service_tier"),
      ("concurrency: 1", "", { _ in }, "capacity"),
    ]
    for (endpoint, route, change, code) in cases {
      let fleet = try Fleet([endpoint], route: route)
      if code == "capacity" { fleet.health.attemptStarted(endpoint: 0) }
      let explained = fleet.explain(Fleet.question(change))
      #expect(explained.excludedBy == [code], "\(endpoint) \(route)")
      #expect(explained.decision.plan.endpoints.isEmpty)
      #expect(explained.decision.isFull == (code == "capacity"))
    }
  }

  @Test func `what fits is let through by the same filters`() throws {
    let fleet = try Fleet(
      [
        """
        context: 4000, max_output: 500, parameters: [tools, tool_choice], inputs: [text, image], quantization: mxfp4,
        price: { input: 1, output: 1 }, region: eu-west-1, quality: 0.6, data: { trains: false, retains: false },
        concurrency: 2
        """.replacing("\n", with: " ")
      ],
      route: """
        limits: { quantizations: [fp4], max_price: { input: 1, output: 1 }, regions: [eu], quality: 0.6, only: [p0],
        data_collection: deny, zdr: true }
        """.replacing("\n", with: " "))
    let question = Fleet.question {
      $0.maxOutput = 500
      $0.parameters = [.tools, .toolChoice]
      $0.modalities = .image
    }
    #expect(fleet.plan(question) == [0])
  }

  @Test func `a request can make the route's limits narrower, never wider`() throws {
    let fleet = try Fleet(
      ["price: { input: 1, output: 1 }", "price: { input: 3, output: 3 }", "price: { input: 9, output: 9 }"],
      route: "policy: price, limits: { only: [p0, p1], max_price: { input: 5 } }")
    func plan(_ json: String) throws -> [Int] {
      let controls = try Fleet.controls(json)
      return fleet.plan(Fleet.question { $0.controls = controls })
    }
    #expect(try plan(#"{"provider":{"only":["p1","p2"]}}"#) == [1])
    #expect(try plan(#"{"provider":{"max_price":{"prompt":100}}}"#) == [0, 1])
    #expect(try plan(#"{"provider":{"only":["p2"]}}"#) == [])
    #expect(try plan(#"{"provider":{"order":["p2","p1"]}}"#) == [1, 0])
  }

  // MARK: - Controls

  @Test func `order comes first in its order, and without fallbacks nothing else comes`() throws {
    let fleet = try Fleet(Self.cheapAndDear, route: "policy: price")
    func plan(_ json: String) throws -> [Int] {
      let controls = try Fleet.controls(json)
      return fleet.plan(Fleet.question { $0.controls = controls })
    }
    #expect(try plan(#"{"provider":{"order":["p2","p0"]}}"#) == [2, 0, 1])
    #expect(try plan(#"{"provider":{"order":["p2","p0"],"allow_fallbacks":false}}"#) == [2, 0])
    #expect(try plan(#"{"provider":{"allow_fallbacks":false}}"#) == [1])
    #expect(try plan(#"{"provider":{"order":["elsewhere","p0"]}}"#) == [0, 1, 2])
  }

  @Test func `preferences put endpoints to the end and keep them`() throws {
    var fleet = try Fleet(Self.cheapAndDear, route: "policy: price")
    fleet.estimates[1].throughput = 10
    var seen = EndpointReport()
    seen.lastFiveMinutes.throughput = Percentiles(p50: 50, p75: 40, p90: 12, p99: 5)
    fleet.reports[0] = seen
    func plan(_ json: String) throws -> [Int] {
      let controls = try Fleet.controls(json)
      return fleet.plan(Fleet.question { $0.controls = controls })
    }
    #expect(try plan(#"{"provider":{"preferred_min_throughput":20}}"#) == [0, 2, 1])
    #expect(try plan(#"{"provider":{"preferred_min_throughput":{"p90":20}}}"#) == [2, 1, 0])
    #expect(try plan(#"{"provider":{"preferred_max_latency":0.5}}"#) == [1, 0, 2])
  }

  @Test func `a base slug means every variant of the usual tier, a full slug one endpoint`() throws {
    let fleet = try Fleet(["tag: p0/turbo", "", "tag: p2/flex, tier: flex"], route: "policy: order")
    func plan(_ json: String) throws -> [Int] {
      let controls = try Fleet.controls(json)
      return fleet.plan(Fleet.question { $0.controls = controls })
    }
    #expect(try plan(#"{"provider":{"only":["P0"]}}"#) == [0])
    #expect(try plan(#"{"provider":{"only":["p0/turbo"]}}"#) == [0])
    #expect(try plan(#"{"provider":{"only":["p0/other"]}}"#) == [])
    #expect(try plan(#"{"provider":{"only":["p2"]}}"#) == [])
    #expect(try plan(#"{"provider":{"only":["p2/flex"]}}"#) == [2])
    #expect(try plan(#"{"service_tier":"flex"}"#) == [2])
    #expect(try plan("{}") == [0, 1])
    #expect(fleet.plan(Fleet.question { $0.variant = .floor }).count == 3)
  }

  // MARK: - Edges

  @Test func `one candidate, a price of zero, and nothing known at all`() throws {
    #expect(try Fleet([""], route: "policy: price").plan(Fleet.question()) == [0])
    for policy in ["default", "price", "balanced"] {
      let fleet = try Fleet(
        ["price: { input: 5, output: 5 }", "", "price: { input: 0, output: 0 }"], route: "policy: \(policy)")
      #expect(fleet.plan(Fleet.question()).first == 2, "\(policy)")
      #expect(fleet.plan(Fleet.question()).sorted() == [0, 1, 2])
    }
  }

  @Test func `when all have failed lately all are tried`() throws {
    let fleet = try Fleet(Self.cheapAndDear, route: "policy: price")
    for place in 0..<3 { fleet.health.record(endpoint: place, succeeded: false, now: 10) }
    #expect(fleet.plan(Fleet.question(), now: 11) == [1, 0, 2])
  }

  @Test func `an idle endpoint is explored for its share of the requests, unless it is too dear`() throws {
    let prices = ["1", "0.5", "1.2", "50"].map { "price: { input: \($0), output: \($0) }" }
    var fleet = try Fleet(prices, route: "policy: price, explore: 10%")
    let now = 2 * Selection.idleAfter
    for place in [0, 1, 3] { fleet.estimates[place].lastHeard = now - 1 }
    fleet.estimates[3].lastHeard = 1
    var random = FastRandom(seed: 9)
    var first = [0, 0, 0, 0]
    for _ in 0..<10_000 { first[fleet.plan(Fleet.question(), now: now, &random)[0]] += 1 }
    #expect(abs(first[0]) == 0 && first[3] == 0)
    #expect(abs(first[2] - 1_000) < 90, "\(first)")
  }

  @Test func `a conversation stays while that is cheaper, and moves when it is not`() throws {
    let fleet = try Fleet(
      ["price: { input: 1, cached_input: 0.1, output: 1 }", "price: { input: 0.5, cached_input: 0.05, output: 0.5 }"])
    var random = FastRandom(seed: 2)
    func firsts(holder: Int) -> Set<Int> {
      let question = Fleet.question {
        $0.held = [
          HeldPrefix(
            endpoint: fleet.table.endpoints[holder].key, tokens: 1_000, yield: 1, isHolder: true,
            madeSignatures: false)
        ]
      }
      return Set((0..<200).map { _ in fleet.plan(question, &random)[0] })
    }
    #expect(firsts(holder: 1) == [1])
    #expect(firsts(holder: 0) == [0])
  }

  @Test func `signed reasoning pins the conversation to its maker, or is marked to be stripped`() throws {
    let fleet = try Fleet(Self.cheapAndDear, route: "policy: price")
    func decision(_ held: [HeldPrefix], ignoring slug: String? = nil) -> Decision {
      var random = FastRandom(seed: 1)
      let question = Fleet.question {
        $0.hasReasoningSignatures = true
        $0.held = held
        if let slug {
          $0.controls = RequestControls()
          $0.controls?.ignore = [slug]
        }
      }
      return fleet.selection(now: 1).decide(question, using: &random)
    }
    let maker = HeldPrefix(
      endpoint: fleet.table.endpoints[2].key, tokens: 0, yield: 0, isHolder: true, madeSignatures: true)
    let pinned = decision([maker])
    #expect(pinned.plan.endpoints[0] == 2 && pinned.isPinned && !pinned.stripsSignatures(at: 2))
    #expect(pinned.stripsSignatures(at: 0))
    let moved = decision([maker], ignoring: "p2")
    #expect(moved.plan.endpoints == [1, 0] && !moved.isPinned && moved.stripsSignatures(at: 1))
    #expect(!decision([]).stripsSignatures(at: 0))
  }

  @Test func `explain says what decide does`() throws {
    for policy in ["price", "latency", "throughput", "order", "balanced"] {
      let fleet = try Fleet(Self.cheapAndDear + ["context: 10"], route: "policy: \(policy), explore: 0%")
      let explained = fleet.explain(Fleet.question())
      let order = explained.candidates.filter { if case .rejected = $0.verdict { false } else { true } }.map(\.place)
      #expect(order == fleet.plan(Fleet.question()))
      #expect(explained.candidates.last?.place == 3)
      #expect(!explained.text(fleet.table).isEmpty)
    }
  }

  @Test func `the shares that explain prints are those that are drawn`() throws {
    let fleet = try Fleet(["price: { input: 1, output: 1 }", "price: { input: 2, output: 2 }"])
    let shares = fleet.explain(Fleet.question()).candidates.reduce(into: [:]) { $0[$1.place] = $1.share }
    #expect(abs((shares[0] ?? nil ?? 0) - 0.8) < 1e-9)
    #expect(abs((shares[1] ?? nil ?? 0) - 0.2) < 1e-9)
  }
}
