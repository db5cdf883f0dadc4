import Catalog
import Routing
import Wire

/// Pointsman: a route of one policy, by the very code that serves requests, from the request's bytes to what an attempt
/// teaches. Only the transport is left out.
final class PointsmanChooser: Chooser {
  /// What loops have learned is folded this often, as in a running router.
  private static let foldEvery: UInt64 = 250_000_000
  private static let routeName = "judged"

  let name: String
  private let policy: String
  private var candidates: CandidateTable
  private var health: EndpointHealth
  /// For each endpoint of the world its place in the table, and the other way round.
  private var places: [Int?] = []
  private var endpoints: [Int] = []
  private var statistics = EndpointStatistics()
  private var knowledge: Knowledge
  private var foldedAt: UInt64 = 0
  private var observed: [AttemptObservation] = []
  private let conversations = ConversationIndex()
  private var random: FastRandom
  private var underWay: [Int: UnderWay] = [:]

  private struct UnderWay {
    var question: Question
    /// What is not tried yet, in order.
    var plan: [Int]
    /// Of the running attempt, in terms of the world.
    var endpoint = 0
    var isProbe = false
    var scannedBytes: Int
  }

  /// - Parameter policy: as it is written in routes.yaml.
  init(_ name: String, policy: String, seed: UInt64) throws {
    self.name = name
    self.policy = policy
    random = FastRandom(seed: seed)
    let table = try Self.compile("routes: {}\n")
    candidates = CandidateTable(table)
    health = EndpointHealth(table)
    knowledge = statistics.knowledge(for: table, now: 0)
  }

  func hear(_ world: JudgedWorld, at now: UInt64) {
    let prices = world.endpoints.indices.map { world.knownPrice($0, at: now) }
    guard let table = try? Self.compile(routes(world, prices)) else {
      preconditionFailure("the judge wrote a routes.yaml that is none")
    }
    health = EndpointHealth(table, after: health)
    candidates = CandidateTable(table)
    endpoints = prices.indices.filter { prices[$0] != nil }
    places = Array(repeating: nil, count: prices.count)
    for (place, endpoint) in endpoints.enumerated() { places[endpoint] = place }
    // Plans are of the table that they were made for: those under way go on by what the places mean now.
    fold(now)
  }

  private static func compile(_ yaml: String) throws -> RouteTable {
    let (file, mistakes) = RoutesFile.parse(yaml)
    guard let file else { throw JudgeError(description: "\(mistakes)") }
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    guard let table else { throw JudgeError(description: "\(diagnostics)") }
    return table
  }

  /// The endpoints that are known, as an admin would write them.
  private func routes(_ world: JudgedWorld, _ prices: [JudgedEndpoint.Price?]) -> String {
    var providers = "providers:\n"
    var models = "models:\n  model:\n    endpoints:\n"
    for (index, endpoint) in world.endpoints.enumerated() {
      guard let price = prices[index] else { continue }
      providers += "  p\(index): { base_url: 'http://127.0.0.1:9/v1' }\n"
      models += "      - { provider: p\(index), price: { input: \(Self.usd(price.input))"
      if let cached = price.cached { models += ", cached_input: \(Self.usd(cached))" }
      models += ", output: \(Self.usd(price.output)) }, concurrency: \(endpoint.concurrency)"
      if endpoint.cacheLife > 0 { models += ", cache_life: \(endpoint.cacheLife / 1_000_000_000)s" }
      if let life = endpoint.nodeLife { models += ", node_life: \(Int(life))s" }
      models += " }\n"
    }
    return providers + models + "routes:\n  \(Self.routeName): { models: [model], policy: \(policy) }\n"
  }

  /// Pico-USD per token as USD per million tokens.
  private static func usd(_ pico: Int64) -> String {
    let digits = String(pico % 1_000_000)
    return "\(pico / 1_000_000)." + String(repeating: "0", count: 6 - digits.count) + digits
  }

  private func fold(_ now: UInt64) {
    statistics.fold(observed)
    observed.removeAll(keepingCapacity: true)
    knowledge = statistics.knowledge(for: candidates.table, now: now)
    foldedAt = now
  }

  // MARK: - A request

  func begin(_ request: JudgedRequest, at now: UInt64) {
    if now >= foldedAt + Self.foldEvery { fold(now) }
    var held: [HeldPrefix] = []
    conversations.held(Self.key(request), now: now, into: &held)
    guard let scan = scan(request),
      let question = try? Question(
        scan, from: RequestSource(), in: candidates, knowledge, held: held,
        unixSeconds: Int64(now / 1_000_000_000))
    else { preconditionFailure("the judge sent a request that is none") }
    let decision = Selection(candidates, knowledge, health, now: now).decide(question, using: &random)
    underWay[request.id] = UnderWay(
      question: question, plan: decision.plan.endpoints.map { endpoints[$0] },
      scannedBytes: Question.countedBytes(scan))
  }

  func next(_ request: JudgedRequest, at now: UInt64) -> Int? {
    guard var going = underWay[request.id], !going.plan.isEmpty else {
      underWay[request.id] = nil
      return nil
    }
    // When all that are left are out, the first of them is tried all the same.
    var (chosen, isProbe) = (0, false)
    for (position, endpoint) in going.plan.enumerated() {
      guard let place = places[endpoint] else { continue }
      let admission = health.admit(endpoint: place, now: now)
      if admission == .refused { continue }
      (chosen, isProbe) = (position, admission == .probe)
      break
    }
    let endpoint = going.plan.remove(at: chosen)
    going.endpoint = endpoint
    going.isProbe = isProbe
    underWay[request.id] = going
    if let place = places[endpoint] { health.attemptStarted(endpoint: place) }
    return endpoint
  }

  /// A probe has shown what it is for as soon as content comes; others need not wait for the end of its answer.
  func answers(_ request: JudgedRequest, at now: UInt64) {
    guard let going = underWay[request.id], going.isProbe, let place = places[going.endpoint] else { return }
    health.record(endpoint: place, succeeded: true, wasProbe: true, now: now)
    underWay[request.id]?.isProbe = false
  }

  func ended(_ request: JudgedRequest, _ report: AttemptReport, at now: UInt64) {
    guard let going = underWay[request.id], let place = places[report.endpoint] else { return }
    if report.result == .completed || report.result == .interrupted { underWay[request.id] = nil }
    health.attemptEnded(endpoint: place)
    switch report.result {
    case .completed, .failed, .interrupted:
      health.record(
        endpoint: place, succeeded: report.result == .completed, wasProbe: going.isProbe, began: report.started,
        now: now)
    case .rateLimited:
      if going.isProbe { health.releaseProbe(endpoint: place) }
    }
    if let wait = report.retryAfter { health.limit(endpoint: place, key: 0, for: wait, now: now) }
    let endpoint = candidates.table.endpoints[place]
    let held = going.question.held.first { $0.endpoint == endpoint.key }
    let expected = held.map { min($0.tokens, going.question.promptTokens) } ?? 0
    observed.append(observation(request, report, going, endpoint.key, expected: expected, now))
    if report.result == .rateLimited { return }
    let tokensPerByte = knowledge.routes[going.question.route].tokensPerByte
    let isWhole = report.result == .completed
    conversations.settle(
      Self.key(request), endpoint: endpoint.key,
      promptTokens: isWhole ? report.promptTokens : going.question.promptTokens,
      outputTokens: isWhole ? report.outputTokens : 0, cachedTokens: isWhole ? report.cachedTokens : nil,
      expectedCached: expected, sharedTokens: Int64(Double(request.systemBytes) * tokensPerByte),
      cacheLife: endpoint.traits.cacheLife.nanoseconds, madeSignatures: false, succeeded: isWhole, now: now)
  }

  private func observation(
    _ request: JudgedRequest, _ report: AttemptReport, _ going: UnderWay, _ key: UInt64, expected: Int64, _ now: UInt64
  ) -> AttemptObservation {
    let result: AttemptObservation.Result =
      switch report.result {
      case .completed: .completed
      case .failed: .failed
      case .interrupted: .interrupted
      case .rateLimited: .rateLimited
      }
    var seen = AttemptObservation(
      endpoint: key, route: Self.routeName, at: now, result: result, duration: (now - report.started) / 1_000)
    seen.firstToken = report.firstToken.map { ($0 - report.started) / 1_000 }
    if report.result == .completed {
      seen.usage.input = report.promptTokens
      seen.usage.cachedInput = report.cachedTokens
      seen.usage.output = report.outputTokens
    }
    seen.promptBytes = going.scannedBytes
    seen.isContinuation = going.question.held.contains { $0.isHolder }
    seen.expectedCached = expected
    return seen
  }

  private static func key(_ request: JudgedRequest) -> ConversationKey {
    ConversationKey(
      conversation: UInt64(request.conversation) &+ 1, sharedPrefix: UInt64(request.group) &+ 1)
  }

  /// A body of that many bytes, read by the scanner.
  private func scan(_ request: JudgedRequest) -> RequestScan? {
    let head = Array(#"{"model":"judged","stream":true,"messages":[{"role":"user","content":""#.utf8)
    let tail = Array(#""}]}"#.utf8)
    var body: [UInt8] = []
    body.reserveCapacity(head.count + request.promptBytes + tail.count)
    body += head
    body.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: request.promptBytes))
    body += tail
    var scanner = RequestScanner(kind: .chatCompletions)
    return try? scanner.finish(body.span)
  }
}

extension Duration {
  fileprivate var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    return UInt64(max(seconds, 0)) * 1_000_000_000 + UInt64(max(attoseconds, 0)) / 1_000_000_000
  }
}
