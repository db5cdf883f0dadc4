import Catalog
import Testing

@testable import Routing

@Suite struct SelectionTests {
  /// A table whose one route `r` has an endpoint per entry of `prices` (USD per million tokens; `nil` is unknown).
  static func table(_ prices: [String?], policy: String = "default") throws -> RouteTable {
    var yaml = "providers:\n"
    for index in prices.indices { yaml += "  p\(index): { base_url: 'http://127.0.0.1:\(9000 + index)/v1' }\n" }
    yaml += "models:\n  m:\n    endpoints:\n"
    for (index, price) in prices.enumerated() {
      yaml += "      - { provider: p\(index)"
      if let price { yaml += ", price: { input: \(price), output: \(price) }" }
      yaml += " }\n"
    }
    yaml += "routes:\n  r: { models: [m], policy: \(policy) }\n"
    let file = try #require(RoutesFile.parse(yaml).file)
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    return try #require(table, "\(diagnostics)")
  }

  static func plan(
    _ table: RouteTable, _ health: EndpointHealth, now: UInt64 = 1, _ random: inout FastRandom
  ) -> [Int] {
    Fleet(table, health: health).plan(Question(route: 0), now: now, &random)
  }

  @Test func `the default policy shares by the inverse square of the price`() throws {
    let table = try Self.table(["1", "3"])
    let health = EndpointHealth(count: 2)
    var random = FastRandom(seed: 1)
    let draws = 20_000
    var cheap = 0
    for _ in 0..<draws where Self.plan(table, health, &random)[0] == 0 { cheap += 1 }
    // 9:1, within three standard deviations of a binomial draw.
    let deviation = 3 * (Double(draws) * 0.9 * 0.1).squareRoot()
    #expect(abs(Double(cheap) - 0.9 * Double(draws)) < deviation, "\(cheap) of \(draws)")
  }

  @Test func `every candidate is in the plan exactly once`() throws {
    var random = FastRandom(seed: 2)
    for policy in ["default", "{ order: [p3, p1] }", "{ weighted: { p0: 1, p1: 0, p2: 5, p3: 2 } }"] {
      let table = try Self.table(["1", "0", nil, "2"], policy: policy)
      for _ in 0..<100 {
        #expect(Self.plan(table, EndpointHealth(count: 4), &random).sorted() == [0, 1, 2, 3])
      }
    }
  }

  @Test func `free endpoints come before priced ones and an unknown price comes last`() throws {
    let table = try Self.table([nil, "5", "0"])
    var random = FastRandom(seed: 3)
    for _ in 0..<50 { #expect(Self.plan(table, EndpointHealth(count: 3), &random) == [2, 1, 0]) }
  }

  @Test func `an endpoint in an outage is a fallback for pauses that double up to 30 s, or until it succeeds`() throws {
    let table = try Self.table(["1", "100"], policy: "{ order: [p0, p1] }")
    let health = EndpointHealth(count: 2)
    var random = FastRandom(seed: 4)
    var now: UInt64 = 1_000_000_000
    for seconds: UInt64 in [2, 4, 8, 16, 30, 30] {
      health.record(endpoint: 0, succeeded: false, now: now)
      // Others that were under way fail too: that is the same outage.
      health.record(endpoint: 0, succeeded: false, now: now + 1)
      let end = now + 1 + seconds * 1_000_000_000
      #expect(Self.plan(table, health, now: end - 1, &random) == [1, 0])
      #expect(Self.plan(table, health, now: end, &random) == [0, 1])
      now = end
    }
    health.record(endpoint: 0, succeeded: true, now: now)
    #expect(health.isStable(0, now: now + 1))
  }

  @Test func `one failure of an endpoint that answers others is no outage, two in a row are`() {
    let health = EndpointHealth(count: 1)
    let now = 2 * EndpointHealth.vouchingTime
    health.record(endpoint: 0, succeeded: true, now: now)
    health.record(endpoint: 0, succeeded: false, now: now + 1)
    #expect(health.isStable(0, now: now + 2))
    health.record(endpoint: 0, succeeded: true, now: now + 3)
    // It was away for no moment, so it has nothing to return from.
    #expect(health.returnShare(0, now: now + 4) == 1)
    health.record(endpoint: 0, succeeded: false, now: now + 5)
    health.record(endpoint: 0, succeeded: false, now: now + 6)
    #expect(!health.isStable(0, now: now + 7))
    health.record(endpoint: 0, succeeded: true, now: now + 8)
    #expect(health.returnShare(0, now: now + 8) == 0.1)
    // Long after its last success nothing vouches for it.
    health.record(endpoint: 0, succeeded: false, now: now + 8 + EndpointHealth.vouchingTime)
    #expect(!health.isStable(0, now: now + 9 + EndpointHealth.vouchingTime))
  }

  @Test func `order keeps its order but tries stable endpoints first`() throws {
    let table = try Self.table(["1", "1", "1"], policy: "{ order: [p2, p0] }")
    let health = EndpointHealth(count: 3)
    var random = FastRandom(seed: 5)
    #expect(Self.plan(table, health, &random) == [2, 0, 1])
    health.record(endpoint: 2, succeeded: false, now: 1)
    #expect(Self.plan(table, health, now: 2, &random) == [0, 1, 2])
  }

  @Test func `weights are shares, and a weight of zero is only a fallback`() throws {
    let table = try Self.table(["1", "1", "1"], policy: "{ weighted: { p0: 3, p1: 1, p2: 0 } }")
    let health = EndpointHealth(count: 3)
    var random = FastRandom(seed: 6)
    var first = [0, 0, 0]
    for _ in 0..<8_000 { first[Self.plan(table, health, &random)[0]] += 1 }
    #expect(first[2] == 0)
    #expect(abs(first[0] - 6_000) < 3 * Int((8_000 * 0.75 * 0.25).squareRoot()))
  }

  @Test func `a new table's endpoints share what is known of the same ones in the old table`() {
    let old = EndpointHealth(count: 3)
    old.record(endpoint: 2, succeeded: false, now: 10)
    let new = EndpointHealth(places: [2, nil, 0, 7], in: old)
    #expect((0..<4).map { new.isStable($0, now: 11) } == [false, true, true, true])
    // A completion that still runs under the old table teaches both.
    old.record(endpoint: 0, succeeded: false, now: 12)
    old.record(endpoint: 2, succeeded: true, now: 13)
    #expect((0..<4).map { new.isStable($0, now: 14) } == [true, true, false, true])
  }
}
