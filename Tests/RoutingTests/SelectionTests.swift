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
    let health = EndpointHealth(table)
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
        #expect(Self.plan(table, EndpointHealth(table), &random).sorted() == [0, 1, 2, 3])
      }
    }
  }

  @Test func `free endpoints come before priced ones and an unknown price comes last`() throws {
    let table = try Self.table([nil, "5", "0"])
    var random = FastRandom(seed: 3)
    for _ in 0..<50 { #expect(Self.plan(table, EndpointHealth(table), &random) == [2, 1, 0]) }
  }

  @Test func `order keeps its order but tries stable endpoints first`() throws {
    let table = try Self.table(["1", "1", "1"], policy: "{ order: [p2, p0] }")
    let health = EndpointHealth(table)
    var random = FastRandom(seed: 5)
    #expect(Self.plan(table, health, &random) == [2, 0, 1])
    health.record(endpoint: 2, succeeded: false, now: 1)
    #expect(Self.plan(table, health, now: 2, &random) == [0, 1, 2])
  }

  @Test func `weights are shares, and a weight of zero is only a fallback`() throws {
    let table = try Self.table(["1", "1", "1"], policy: "{ weighted: { p0: 3, p1: 1, p2: 0 } }")
    let health = EndpointHealth(table)
    var random = FastRandom(seed: 6)
    var first = [0, 0, 0]
    for _ in 0..<8_000 { first[Self.plan(table, health, &random)[0]] += 1 }
    #expect(first[2] == 0)
    #expect(abs(first[0] - 6_000) < 3 * Int((8_000 * 0.75 * 0.25).squareRoot()))
  }
}
