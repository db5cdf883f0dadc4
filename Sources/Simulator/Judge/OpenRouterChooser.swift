/// OpenRouter's routing as its documentation describes it: "Provider Routing" (load balancing, sorting) and "Prompt
/// Caching" (sticky routing).
///
/// Where the documents leave something open, the reading is the one that favours it: agents name their session, so that a
/// conversation is sticky from its first success; the price of an endpoint is that of input and output together; a 429 is
/// no outage. It hears of prices when Pointsman does.
final class OpenRouterChooser: Chooser {
  enum Order {
    /// By chance, in proportion to the inverse square of the price; the others behind, by price.
    case balanced
    /// `sort: price`.
    case price
  }

  /// An endpoint that failed so short a time ago, without a success since, is tried last.
  private static let outageWindow: UInt64 = 30_000_000_000
  /// A conversation that pauses for longer is no longer sticky.
  private static let stickyLife: UInt64 = 600_000_000_000

  let name: String
  private let order: Order
  private var random: JudgeRandom
  private var prices: [JudgedEndpoint.Price?] = []
  private var failedAt: [UInt64] = []
  private var sticky: [Int: (endpoint: Int, usedAt: UInt64)] = [:]
  private var plans: [Int: ArraySlice<Int>] = [:]

  init(_ name: String, _ order: Order, seed: UInt64) {
    self.name = name
    self.order = order
    random = JudgeRandom(seed, 0x0be)
  }

  func hear(_ world: JudgedWorld, at now: UInt64) {
    prices = world.endpoints.indices.map { world.knownPrice($0, at: now) }
    if failedAt.isEmpty { failedAt = prices.map { _ in 0 } }
  }

  func begin(_ request: JudgedRequest, at now: UInt64) {
    func isStable(_ endpoint: Int) -> Bool {
      failedAt[endpoint] == 0 || now >= failedAt[endpoint] + Self.outageWindow
    }
    let known = prices.indices.filter { prices[$0] != nil }.sorted { (price($0), $0) < (price($1), $1) }
    var plan = known.filter(isStable)
    if order == .balanced, plan.count > 1 {
      let weights = plan.map { 1 / (price($0) * price($0)) }
      var drawn = random.unit() * weights.reduce(0, +)
      let first = weights.firstIndex { weight in
        drawn -= weight
        return drawn < 0
      }
      plan.insert(plan.remove(at: first ?? 0), at: 0)
    }
    plan += known.filter { !isStable($0) }
    if let held = sticky[request.conversation], now <= held.usedAt + Self.stickyLife,
      let position = plan.firstIndex(of: held.endpoint)
    {
      plan.insert(plan.remove(at: position), at: 0)
    }
    plans[request.id] = plan[...]
  }

  func next(_ request: JudgedRequest, at now: UInt64) -> Int? {
    guard let next = plans[request.id]?.popFirst() else {
      plans[request.id] = nil
      return nil
    }
    return next
  }

  func ended(_ request: JudgedRequest, _ report: AttemptReport, at now: UInt64) {
    switch report.result {
    case .failed: failedAt[report.endpoint] = now
    case .rateLimited: break
    case .interrupted:
      failedAt[report.endpoint] = now
      plans[request.id] = nil
    case .completed:
      failedAt[report.endpoint] = 0
      plans[request.id] = nil
      remember(request.conversation, report.endpoint, now)
    }
  }

  /// A success elsewhere does not change where a conversation is sticky.
  private func remember(_ conversation: Int, _ endpoint: Int, _ now: UInt64) {
    guard let price = prices[endpoint], let cached = price.cached, cached < price.input else { return }
    if let held = sticky[conversation], now <= held.usedAt + Self.stickyLife, held.endpoint != endpoint { return }
    sticky[conversation] = (endpoint, now)
  }

  private func price(_ endpoint: Int) -> Double { prices[endpoint].map { Double($0.input + $0.output) } ?? .infinity }
}
