/// LiteLLM's router as its documentation describes it: "Router - Load Balancing" (strategies, cooldowns, retries).
///
/// It hears of prices as early as Pointsman, though its price map is read when it starts. Defaults where there are any:
/// two retries, five seconds of cooldown. Its affinity checks are options beside the strategies, and are not turned on.
final class LiteLLMChooser: Chooser {
  enum Strategy {
    /// `cost-based-routing`: the cheapest deployment that is within its limits.
    case cost
    /// `latency-based-routing`: one of those whose average is within a buffer of the lowest.
    case latency
    /// `usage-based-routing-v2`: the fewest tokens in the running minute.
    case usage
  }

  private struct Deployment {
    var price = 0.0
    var isKnown = false
    var perMinute: Double?
    var cooledUntil: UInt64 = 0
    /// Of the running minute.
    var minute: UInt64 = 0
    var requests = 0
    var failures = 0
    var successes = 0
    var tokens: Int64 = 0
    /// Seconds to the first token of the newest answers.
    var latencies: [Double] = []

    mutating func turn(to now: UInt64) {
      let minute = now / 60_000_000_000
      if minute == self.minute { return }
      self.minute = minute
      requests = 0
      failures = 0
      successes = 0
      tokens = 0
    }

    var averageLatency: Double { latencies.isEmpty ? 0 : latencies.reduce(0, +) / Double(latencies.count) }
  }

  private static let retries = 2
  private static let cooldown: UInt64 = 5_000_000_000
  /// More than half of the minute's requests must fail, of at least this many.
  private static let fewestForCooldown = 5
  private static let latencyBuffer = 0.5
  private static let latenciesKept = 10

  let name: String
  private let strategy: Strategy
  private var random: JudgeRandom
  private var deployments: [Deployment] = []
  private var attempts: [Int: Int] = [:]

  init(_ name: String, _ strategy: Strategy, seed: UInt64) {
    self.name = name
    self.strategy = strategy
    random = JudgeRandom(seed, 0x117e)
  }

  func hear(_ world: JudgedWorld, at now: UInt64) {
    if deployments.isEmpty { deployments = world.endpoints.map { _ in Deployment() } }
    for place in deployments.indices {
      guard let price = world.knownPrice(place, at: now) else { continue }
      deployments[place].isKnown = true
      deployments[place].price = Double(price.input + price.output)
      deployments[place].perMinute = world.endpoints[place].perMinute
    }
  }

  func begin(_ request: JudgedRequest, at now: UInt64) { attempts[request.id] = 0 }

  func next(_ request: JudgedRequest, at now: UInt64) -> Int? {
    let tried = attempts[request.id] ?? 0
    for place in deployments.indices { deployments[place].turn(to: now) }
    let free = deployments.indices.filter { place in
      let deployment = deployments[place]
      return deployment.isKnown && deployment.cooledUntil <= now
        && Double(deployment.requests) < deployment.perMinute ?? .infinity
    }
    guard tried <= Self.retries, let choice = choice(among: free) else {
      attempts[request.id] = nil
      return nil
    }
    attempts[request.id] = tried + 1
    deployments[choice].requests += 1
    return choice
  }

  private func choice(among free: [Int]) -> Int? {
    switch strategy {
    case .cost: return drawn(free, least: { self.deployments[$0].price })
    case .usage: return drawn(free, least: { Double(self.deployments[$0].tokens) })
    case .latency:
      guard let lowest = free.map({ deployments[$0].averageLatency }).min() else { return nil }
      return drawn(
        free.filter { deployments[$0].averageLatency <= lowest * (1 + Self.latencyBuffer) }, least: { _ in 0 })
    }
  }

  /// One of those with the least value.
  private func drawn(_ places: [Int], least value: (Int) -> Double) -> Int? {
    guard let lowest = places.map(value).min() else { return nil }
    let equals = places.filter { value($0) == lowest }
    return equals[Int(random.next() % UInt64(equals.count))]
  }

  func ended(_ request: JudgedRequest, _ report: AttemptReport, at now: UInt64) {
    let place = report.endpoint
    deployments[place].turn(to: now)
    switch report.result {
    case .rateLimited:
      deployments[place].cooledUntil = now + Self.cooldown
    case .failed, .interrupted:
      deployments[place].failures += 1
      let judged = deployments[place].failures + deployments[place].successes
      if judged >= Self.fewestForCooldown, deployments[place].failures * 2 > judged {
        deployments[place].cooledUntil = now + Self.cooldown
      }
    case .completed:
      deployments[place].successes += 1
      deployments[place].tokens += report.promptTokens + report.outputTokens
      deployments[place].latencies.append(JudgeTime.seconds((report.firstToken ?? now) - report.started))
      if deployments[place].latencies.count > Self.latenciesKept { deployments[place].latencies.removeFirst() }
    }
    if report.result == .completed || report.result == .interrupted { attempts[request.id] = nil }
  }
}
