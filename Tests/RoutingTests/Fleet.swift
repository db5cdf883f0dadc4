import Catalog
import Testing
import Wire

@testable import Routing

/// A table and what is known of it, for tests of the decision.
struct Fleet {
  let candidates: CandidateTable
  let health: EndpointHealth
  var estimates: [EndpointEstimate]
  var reports: [EndpointReport]
  var routes: [RouteEstimate]

  var table: RouteTable { candidates.table }

  init(_ table: RouteTable, health: EndpointHealth? = nil) {
    candidates = CandidateTable(table)
    self.health = health ?? EndpointHealth(table)
    estimates = table.endpoints.map { _ in EndpointEstimate() }
    reports = table.endpoints.map { _ in EndpointReport() }
    routes = table.routes.map { _ in RouteEstimate() }
  }

  /// - Parameters:
  ///   - endpoints: the text of each endpoint's map without its provider, which is `p0`, `p1` …
  ///   - route: the text of the route `r`, behind its models.
  ///   - rest: further top-level keys of the file.
  init(_ endpoints: [String], route: String = "", rest: String = "") throws {
    var yaml = "providers:\n"
    for index in endpoints.indices { yaml += "  p\(index): { base_url: 'http://127.0.0.1:\(9000 + index)/v1' }\n" }
    yaml += "models:\n  m:\n    endpoints:\n"
    for (index, rest) in endpoints.enumerated() {
      yaml += "      - { provider: p\(index)\(rest.isEmpty ? "" : ", ")\(rest) }\n"
    }
    yaml += "routes:\n  r: { models: [m]\(route.isEmpty ? "" : ", ")\(route) }\n" + rest
    let file = try #require(RoutesFile.parse(yaml).file)
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    self.init(try #require(table, "\(diagnostics)"))
  }

  func selection(now: UInt64) -> Selection {
    Selection(
      candidates, Knowledge(endpoints: estimates, reports: reports, routes: routes), health, now: now)
  }

  func plan(_ question: Question, now: UInt64 = 1, _ random: inout FastRandom) -> [Int] {
    selection(now: now).decide(question, using: &random).plan.endpoints
  }

  func plan(_ question: Question, now: UInt64 = 1) -> [Int] {
    var random = FastRandom(seed: 1)
    return plan(question, now: now, &random)
  }

  func explain(_ question: Question, now: UInt64 = 1) -> Explanation {
    var random = FastRandom(seed: 1)
    return selection(now: now).explain(question, using: &random)
  }

  /// A question to the route `r`.
  static func question(_ change: (inout Question) -> Void = { _ in }) -> Question {
    var question = Question(route: 0)
    question.promptTokens = 1_000
    question.expectedOutput = 200
    change(&question)
    return question
  }

  /// Controls as a client would send them.
  static func controls(_ json: String) throws -> RequestControls {
    try RequestControls.parse(Array(json.utf8).span)
  }
}
