import Catalog
import Testing
import Wire

@testable import Routing

/// A table and observations for tests of what is known.
enum KnowledgeFixture {
  static let second: UInt64 = 1_000_000_000
  static let minute: UInt64 = 60 * second
  /// Well into the clock's life, so that what is old is still after its begin.
  static let begin: UInt64 = 100_000 * second

  /// A table of models `m0`, `m1` … with endpoints at providers `p0`, `p1` …
  ///
  /// - Parameter models: how many endpoints each has.
  static func table(_ models: [Int]) throws -> RouteTable {
    var yaml = "providers:\n"
    for index in 0..<(models.max() ?? 0) { yaml += "  p\(index): { base_url: 'http://127.0.0.1:9000/v\(index)' }\n" }
    yaml += "models:\n"
    for (model, count) in models.enumerated() {
      yaml += "  m\(model):\n    endpoints:\n"
      for index in 0..<count { yaml += "      - { provider: p\(index) }\n" }
    }
    yaml += "routes:\n  r: { models: [m0] }\n"
    let file = try #require(RoutesFile.parse(yaml).file)
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    return try #require(table, "\(diagnostics)")
  }

  /// An answer of 100 tokens, the first after 0.5 s, all after 2.5 s: 50 tokens a second.
  static func answer(
    _ endpoint: Endpoint, at: UInt64 = begin, _ result: AttemptObservation.Result = .completed,
    first: UInt64? = 500_000, duration: UInt64 = 2_500_000, output: Int64? = 100,
    _ change: (inout AttemptObservation) -> Void = { _ in }
  ) -> AttemptObservation {
    var seen = AttemptObservation(endpoint: endpoint.key, route: "r", at: at, result: result, duration: duration)
    seen.firstToken = result == .failed || result == .rateLimited ? nil : first
    if result == .completed { seen.usage.output = output }
    change(&seen)
    return seen
  }
}

extension FastRandom {
  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
}
