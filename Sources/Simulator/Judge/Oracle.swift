/// The least that the same turns could have cost for one who knows everything before: prices, outages, deaths, the
/// length of every answer and conversation, and the luck of every attempt.
///
/// For each conversation dynamic programming over turn × the endpoint that holds its newest cache: the state keeps the
/// cost of the cheapest way there, the moment at which that way has the turn's answer, and what it left in the caches of
/// the other endpoints. Conversations are taken in the order in which they begin, and what the earlier ones take of an
/// endpoint's capacity is taken.
///
/// Relaxed, which can only make it cheaper: rate limits do not bind it; caches never overflow; the system prompt that
/// conversations share is in every cache from the beginning. It never uses an attempt that fails or breaks off. It is not
/// quite the least: of two ways to a state it goes on with the cheaper one, no conversation makes way for a later one, and
/// no turn waits for a cheaper moment.
struct Oracle {
  private let world: JudgedWorld
  private var booked: [Bookings]

  private struct Way {
    var cost: Int64
    /// When the last answer ended.
    var at: UInt64
    var turns: [Step]
    /// For each endpoint the newest turn there and its end; -1: none.
    var held: [(turn: Int, at: UInt64)]
  }

  private struct Step {
    /// -1: nobody answered.
    var endpoint: Int
    var begins: UInt64
    var first: UInt64
    var ends: UInt64
    var cost: Int64
    var cached: Int64
  }

  static func score(in world: JudgedWorld) -> JudgedScore {
    var oracle = Oracle(world: world, booked: world.endpoints.map { Bookings(limit: $0.concurrency) })
    var score = JudgedScore(world)
    for (place, plan) in world.conversations.enumerated() {
      let way = oracle.best(place, plan)
      for (turn, step) in way.turns.enumerated() where step.endpoint >= 0 {
        oracle.booked[step.endpoint].add(from: step.begins, to: step.ends)
        score.turns[place][turn] = JudgedScore.Turn(
          cost: step.cost, isAnswered: true, prompt: plan.turns[turn].prompt, cached: step.cached,
          firstToken: step.first - step.begins, endpoint: step.endpoint)
      }
    }
    return score
  }

  private func best(_ conversation: Int, _ plan: PlannedConversation) -> Way {
    // The last state is that of nobody: nothing is cached, as in the beginning.
    let nobody = world.endpoints.count
    var ways: [Way?] = Array(repeating: nil, count: nobody + 1)
    ways[nobody] = Way(
      cost: 0, at: plan.begins, turns: [], held: Array(repeating: (turn: -1, at: 0), count: nobody))
    for number in plan.turns.indices {
      var next: [Way?] = Array(repeating: nil, count: nobody + 1)
      for case let way? in ways {
        let begin = number == 0 ? way.at : way.at + plan.turns[number - 1].think
        var isServed = false
        for wait: UInt64 in [0, 1_000_000_000, 5_000_000_000, 21_000_000_000] {
          // As patient as an agent; it waits only when nobody can answer.
          for endpoint in world.endpoints.indices {
            guard
              let step = step(conversation, plan, number, at: endpoint, after: way, begin: begin + wait)
            else { continue }
            isServed = true
            let cost = way.cost + step.cost
            if let other = next[endpoint], (other.cost, other.at) <= (cost, step.ends) { continue }
            var further = Way(cost: cost, at: step.ends, turns: way.turns + [step], held: way.held)
            further.held[endpoint] = (number, step.ends)
            next[endpoint] = further
          }
          if isServed { break }
        }
        if !isServed {
          let none = Step(endpoint: -1, begins: begin, first: begin, ends: begin + 21_000_000_000, cost: 0, cached: 0)
          if next[nobody].map({ way.cost < $0.cost }) ?? true {
            next[nobody] = Way(cost: way.cost, at: none.ends, turns: way.turns + [none], held: way.held)
          }
        }
      }
      // A turn without an answer is only for want of anybody who could give one.
      if next[..<nobody].contains(where: { $0 != nil }) { next[nobody] = nil }
      ways = next
    }
    var best: Way?
    for case let way? in ways where best.map({ way.cost < $0.cost }) ?? true { best = way }
    return best ?? Way(cost: 0, at: plan.begins, turns: [], held: [])
  }

  /// How a turn would go at an endpoint; `nil` when it would not.
  private func step(
    _ conversation: Int, _ plan: PlannedConversation, _ number: Int, at endpoint: Int, after way: Way, begin: UInt64
  ) -> Step? {
    let facts = world.endpoints[endpoint]
    let turn = plan.turns[number]
    guard facts.appears <= begin else { return nil }
    let luck = AttemptLuck(
      seed: world.seed, endpoint: endpoint, conversation: conversation, turn: number, sending: 0)
    guard facts.failure(luck, at: begin) == nil else { return nil }
    let price = facts.price(at: begin)
    var cached: Int64 = 0
    if facts.cacheLife > 0 {
      cached = min(plan.system, turn.prompt)
      let held = way.held[endpoint]
      if held.turn >= 0, begin <= held.at + facts.cacheLife, facts.death(after: held.at, to: begin) == nil {
        let last = plan.turns[held.turn]
        cached = max(cached, min(last.prompt + (facts.keepsAnswers ? last.output : 0), turn.prompt))
      }
    }
    let first = begin + facts.firstToken(luck, uncached: turn.prompt - cached)
    let end = first + facts.generation(luck, output: turn.output)
    guard facts.death(after: begin, to: end) == nil, booked[endpoint].hasRoom(from: begin, to: end) else { return nil }
    return Step(
      endpoint: endpoint, begins: begin, first: first, ends: end,
      cost: price.bill(prompt: turn.prompt, cachedTokens: cached, output: turn.output), cached: cached)
  }
}

/// How many requests an endpoint runs, looked at every half second: never more than there are.
private struct Bookings {
  private static let step: UInt64 = 500_000_000

  private let limit: Int
  private var running: [Int32] = []

  init(limit: Int) { self.limit = limit }

  func hasRoom(from begin: UInt64, to end: UInt64) -> Bool {
    for slot in Self.slots(begin, end) where slot < running.count && running[slot] >= limit { return false }
    return true
  }

  mutating func add(from begin: UInt64, to end: UInt64) {
    let slots = Self.slots(begin, end)
    if slots.upperBound > running.count {
      running.append(contentsOf: repeatElement(0, count: slots.upperBound + 1_000 - running.count))
    }
    for slot in slots { running[slot] += 1 }
  }

  /// The looks from `begin` on, before `end`.
  private static func slots(_ begin: UInt64, _ end: UInt64) -> Range<Int> {
    let first = Int((begin + step - 1) / step)
    return first..<max(Int((end + step - 1) / step), first)
  }
}
