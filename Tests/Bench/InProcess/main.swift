import Catalog
import Routing
import Wire

// What the decision and the scanners cost by themselves, in process: minimum, median and maximum of many rounds.

let clock = ContinuousClock()

/// Prints what one call of `body` takes, in nanoseconds.
func measure(_ name: String, calls: Int, rounds: Int = 25, _ body: () -> Void) {
  var results: [Double] = []
  for _ in 0..<rounds {
    let took = clock.measure { for _ in 0..<calls { body() } }
    results.append(
      Double(took.components.attoseconds) / 1e9 / Double(calls) + Double(took.components.seconds) * 1e9 / Double(calls))
  }
  results.sort()
  func text(_ value: Double) -> String { value >= 10_000 ? "\(Int(value / 1000)) µs" : "\(Int(value)) ns" }
  print("\(name): \(text(results[0])) / \(text(results[results.count / 2])) / \(text(results[results.count - 1]))")
}

/// A routes file of one model with so many endpoints, or of many models with one each.
func routes(endpoints: Int, models: Int) -> String {
  var yaml = "providers:\n"
  for index in 0..<endpoints { yaml += "  p\(index): { base_url: 'http://127.0.0.1:9000/\(index)/v1' }\n" }
  yaml += "models:\n"
  for model in 0..<models {
    yaml += "  vendor/model-\(model):\n    endpoints:\n"
    for index in stride(from: model, to: endpoints, by: models) {
      yaml += "      - { provider: p\(index), price: { input: 0.\(index % 90 + 10), output: 0.\(index % 80 + 10) } }\n"
    }
  }
  return yaml
}

func table(_ yaml: String) -> RouteTable {
  guard let file = RoutesFile.parse(yaml).file, let table = RouteTable.compile(file, CompileInputs()).table else {
    fatalError("the benchmark's own routes do not compile")
  }
  return table
}

var kept = 0
var random = FastRandom(seed: 1)
for candidates in [3, 10, 1000] {
  let table = table(routes(endpoints: candidates, models: 1))
  let health = EndpointHealth(table)
  let facts = CandidateTable(table)
  let knowledge = Knowledge(
    endpoints: table.endpoints.map { _ in EndpointEstimate() }, reports: [], routes: [RouteEstimate()])
  var question = Question(route: 0)
  question.promptTokens = 1_000
  measure("routing decision, \(candidates) candidates", calls: candidates > 100 ? 200 : 20_000) {
    kept &+= Selection(facts, knowledge, health, now: 1).decide(question, using: &random).plan.endpoints[0]
  }
}

let large = routes(endpoints: 10_000, models: 5_000)
measure("reading and compiling 10,000 endpoints", calls: 1, rounds: 5) { kept &+= table(large).endpoints.count }
for (name, table) in [("3", table(routes(endpoints: 3, models: 3))), ("10,000", table(large))] {
  let model = Array("vendor/model-2".utf8)
  measure("finding a route by its name, table of \(name) endpoints", calls: 100_000) {
    kept &+= table.route(named: model.span) ?? 0
  }
}

for (name, size) in [("1 KB", 1_000), ("200 KB", 200_000)] {
  let code = #"if (line == \"quick brown\") { print(line, \"fox\") }\n"#
  let text = String(repeating: code, count: size / code.utf8.count)
  let body = Array(#"{"model":"m","messages":[{"role":"user","content":"\#(text)"}],"stream":true}"#.utf8)
  measure("scanning a request of \(name) that holds code", calls: size > 10_000 ? 200 : 20_000) {
    var scanner = RequestScanner(kind: .chatCompletions)
    if let scan = try? scanner.finish(body.span) { kept &+= scan.bodyLength }
  }
}

let event = Array(
  (#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1790000000,"model":"m","choices":"#
    + #"[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}"# + "\n\n").utf8)
let identity = ChunkIdentity(id: "gen-1", created: 1, model: "vendor/m", provider: "p")
var framer = EventStreamFramer()
measure("framing, scanning and rewriting one event", calls: 50_000) {
  try? framer.feed(event.span) { data, _ in
    if let scan = try? ChunkScan.scan(data) {
      scan.rewrite(data, identity: identity, usage: .keep) { kept &+= $0.count }
    }
    return true
  }
}
if kept == 1 { print("") }  // so that nothing is left out as unused
