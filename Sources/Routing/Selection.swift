import Catalog
import Wire

/// The decision: which endpoints a completion tries, and in which order. Pure; clock and randomness are passed in.
public struct Selection {
  let candidates: CandidateTable
  let knowledge: Knowledge
  let health: EndpointHealth
  /// Monotonic nanoseconds.
  let now: UInt64

  public init(_ candidates: CandidateTable, _ knowledge: Knowledge, _ health: EndpointHealth, now: UInt64) {
    self.candidates = candidates
    self.knowledge = knowledge
    self.health = health
    self.now = now
  }

  /// A candidate counts as idle, so that it may be explored, when nothing was heard of it for this long.
  public static let idleAfter: UInt64 = 300_000_000_000
  /// An idle endpoint is explored only when it may cost at most this many times what the first pick would.
  static let explorationPriceLimit = 3.0
  /// A conversation moves only to an endpoint that is expected to be cheaper by more than this share.
  static let hysteresis = 0.1

  /// What to try, and in which order.
  public func decide(_ question: Question, using random: inout FastRandom) -> Decision {
    var work = Work(question, self)
    return work.decide(using: &random)
  }

  /// The same decision, and why: by the same code, with the candidates written down as it goes.
  public func explain(_ question: Question, using random: inout FastRandom) -> Explanation {
    var work = Work(question, self)
    work.rejected = []
    let decision = work.decide(using: &random)
    return Explanation(work, decision)
  }
}

extension Selection {
  /// One decision being made.
  struct Work {
    let question: Question
    let selection: Selection
    let route: Route
    let plan: RoutePlan
    let policy: Policy
    private(set) var scored: [ScoredCandidate] = []
    /// What was turned away, when somebody wants to know.
    var rejected: [(place: Int, reason: Rejection)]?
    private var fullOnes = 0
    private(set) var order: [Ranked] = []
    private(set) var explored: Int?
    private(set) var held: Int?
    private(set) var pinned: Int?

    init(_ question: Question, _ selection: Selection) {
      self.question = question
      self.selection = selection
      let route = selection.candidates.table.routes[question.route]
      self.route = route
      if let rule = question.rule, route.rules.indices.contains(rule) {
        plan = route.rules[rule].plan
      } else {
        plan = route.plan
      }
      if let sort = question.controls?.sort ?? question.variant?.sort {
        policy = Policy(sort)
      } else {
        policy = Policy(plan.policy)
      }
    }

    /// A request that names an order is served in it; chance and conversations do not come into it.
    private var namedOrder: [String] { question.controls?.order ?? [] }

    /// What a request will cost is reckoned only when something depends on it, or somebody wants to know.
    private var needsCost = true
    private var needsQuality = true

    mutating func decide(using random: inout FastRandom) -> Decision {
      let isExplained = rejected != nil
      needsCost = isExplained || policy.usesCost || !question.held.isEmpty || plan.limits.exploration > 0
      needsQuality = isExplained || policy.usesQuality
      collect(using: &random)
      policy.score(&scored, selection.knowledge)
      rank(using: &random)
      pinOrHold()
      if pinned == nil, held == nil { explore(using: &random) }
      var places = order.map { scored[$0.index].place }
      dropFallbacks(&places)
      return Decision(
        plan: AttemptPlan(endpoints: places), explored: explored != nil, isPinned: pinned != nil, isHeld: held != nil,
        hasForeignSignatures: question.hasReasoningSignatures && question.held.contains { $0.madeSignatures },
        signatureMaker: maker.flatMap { selection.candidates.table.endpointPlaces[$0] },
        isFull: scored.isEmpty && fullOnes > 0)
    }

    // MARK: - Filters

    private mutating func collect(using random: inout FastRandom) {
      let table = selection.candidates.table
      scored.reserveCapacity(plan.candidates.count)
      let routes = question.fallbackRoutes.filter(table.routes.indices.contains)
      let filters = CandidateFilter.all(for: question, limits: plan.limits, sellsFlex: sellsFlex(routes))
      let draw = Double(random.next() >> 11) * 0x1p-53
      let facts = selection.candidates.facts
      let known = selection.knowledge.endpoints
      var tier = 0
      var position = 0
      for places in plan.tiers {
        for place in places {
          consider(place, tier: tier, position: position, facts, known, filters, draw)
          position += 1
        }
        tier += 1
      }
      if routes.isEmpty { return }
      // The same endpoint may serve several of the models that are named: it is tried once.
      var seen = Set(plan.candidates)
      for route in routes {
        for places in table.routes[route].tiers {
          for place in places where seen.insert(place).inserted {
            consider(place, tier: tier, position: position, facts, known, filters, draw)
            position += 1
          }
          tier += 1
        }
      }
    }

    /// Whether any candidate sells the flex tier; `nil` when the table has no tiers but the usual one.
    private func sellsFlex(_ routes: [Int]) -> Bool? {
      let candidates = selection.candidates
      guard candidates.hasTiers else { return nil }
      func sells(_ place: Int) -> Bool { candidates.facts[place].tier == .flex }
      return plan.candidates.contains(where: sells)
        || routes.contains { candidates.table.routes[$0].candidates.contains(where: sells) }
    }

    @inline(__always)
    private mutating func consider(
      _ place: Int, tier: Int, position: Int, _ allFacts: [CandidateFacts], _ known: [EndpointEstimate],
      _ filters: [CandidateFilter], _ draw: Double
    ) {
      let facts = allFacts[place]
      let health = selection.health.look(place, now: selection.now)
      for filter in filters {
        if let rejection = filter.rejection(of: facts, at: place, in: selection.candidates, running: health.running) {
          if rejection.isTemporary { fullOnes += 1 }
          rejected?.append((place, rejection))
          return
        }
      }
      let estimate = place < known.count ? known[place] : EndpointEstimate()
      let price =
        facts.hasOverrides
        ? selection.candidates.price(
          at: place, promptTokens: question.promptTokens, minuteOfDay: question.minuteOfDay) : facts.price
      let holding = question.held.isEmpty ? nil : question.held.first { $0.endpoint == facts.key }
      scored.append(
        ScoredCandidate(
          place: place, tier: tier, position: position, price: price, hasPrice: facts.hasPrice,
          cost: needsCost ? ExpectedCost(question, facts, price, estimate, held: holding) : ExpectedCost(),
          quality: needsQuality ? quality(of: facts, place) : nil, running: health.running,
          concurrency: facts.concurrency, isHolder: holding?.isHolder ?? false,
          setbacks: setbacks(of: facts, place, estimate, health, isWarm: (holding?.tokens ?? 0) > 0, draw)))
    }

    /// The declared score, lowered by what was seen of its tool calls.
    private func quality(of facts: CandidateFacts, _ place: Int) -> Double? {
      let reports = selection.knowledge.reports
      guard reports.indices.contains(place), let errors = reports[place].toolErrors, errors.of >= 20 else {
        return facts.quality
      }
      return (facts.quality ?? 1) * (1 - errors.rate)
    }

    /// - Parameter isWarm: it has some of the conversation in its cache: that is a load which it had before, so its return
    ///   from an outage need not be slow.
    private func setbacks(
      of facts: CandidateFacts, _ place: Int, _ estimate: EndpointEstimate, _ health: EndpointHealth.Look,
      isWarm: Bool, _ draw: Double
    ) -> Setbacks {
      var setbacks: Setbacks = []
      if !health.isStable || estimate.isOutlier || !isWarm && draw >= health.share { setbacks.insert(.unstable) }
      if health.isLimited { setbacks.insert(.limited) }
      if estimate.isLagging { setbacks.insert(.lagging) }
      if question.unixSeconds > facts.priceStaleAt { setbacks.insert(.stalePrice) }
      if let controls = question.controls, !isPreferred(controls, place, estimate) { setbacks.insert(.notPreferred) }
      return setbacks
    }

    /// The soft cutoffs of the request, by what was seen; without enough samples by what is expected.
    private func isPreferred(_ controls: RequestControls, _ place: Int, _ estimate: EndpointEstimate) -> Bool {
      guard controls.preferredMinThroughput != nil || controls.preferredMaxLatency != nil else { return true }
      let reports = selection.knowledge.reports
      let seen = reports.indices.contains(place) ? reports[place].lastFiveMinutes : nil
      func all(
        _ bounds: RequestControls.PercentileBounds?, _ percentiles: Percentiles?, _ expected: Double,
        _ holds: (Double, Double) -> Bool
      ) -> Bool {
        guard let bounds else { return true }
        let pairs = [
          (bounds.p50, percentiles?.p50), (bounds.p75, percentiles?.p75), (bounds.p90, percentiles?.p90),
          (bounds.p99, percentiles?.p99),
        ]
        return pairs.allSatisfy { bound, value in bound.map { holds(value ?? expected, $0) } ?? true }
      }
      return all(controls.preferredMinThroughput, seen?.throughput, estimate.throughput, >=)
        && all(controls.preferredMaxLatency, seen?.firstToken, estimate.firstToken, <=)
    }

    // MARK: - Order

    private mutating func rank(using random: inout FastRandom) {
      order.reserveCapacity(scored.count)
      let isOneOrder = question.controls?.sortsAcrossModels == true
      let named = namedOrder
      for index in scored.indices {
        var group = (isOneOrder ? 0 : scored[index].tier) << 16 | Int(scored[index].setbacks.rawValue) << 8
        if policy.isRandom {
          let weight = scored[index].weight
          switch weight {
          case .infinity: scored[index].rank = arrival(weight: 1, &random)
          case 0:
            // Only a fallback: behind the others, in the order of the file.
            group |= 3
            scored[index].rank = Double(scored[index].position)
          default:
            group |= scored[index].score.terms.0.isInfinite ? 2 : 1
            scored[index].rank = arrival(weight: weight, &random)
          }
        } else {
          let total = scored[index].score.total
          scored[index].rank = total.isNaN ? .infinity : total
          // Equals come in the order of the file, except that the work is spread among equally busy ones.
          if case .leastBusy = policy { scored[index].rank += Double(random.next() >> 11) * 0x1p-53 * 1e-6 }
        }
        if !named.isEmpty {
          // The named ones in their order before everything else, whatever stands against them.
          if let position = named.firstIndex(where: { selection.candidates.matches([$0], scored[index].place) }) {
            group = position - named.count
          }
        }
        order.append(Ranked(rank: scored[index].rank, group: Int32(clamping: group), index: Int32(clamping: index)))
      }
      order.sort()
    }

    /// The one endpoint that made all of the reasoning in the history; `nil` when several did, since nobody accepts a
    /// mixture.
    private var maker: UInt64? {
      guard question.hasReasoningSignatures else { return nil }
      var makers = question.held.lazy.filter { $0.madeSignatures }.map(\.endpoint).makeIterator()
      guard let maker = makers.next(), makers.next() == nil else { return nil }
      return maker
    }

    /// A conversation goes back to the endpoint that alone accepts its reasoning; else it stays where its cache is while
    /// that is cheaper.
    private mutating func pinOrHold() {
      guard !question.held.isEmpty, namedOrder.isEmpty, let first = order.first else { return }
      let facts = selection.candidates.facts
      if let maker, let position = order.firstIndex(where: { facts[scored[$0.index].place].key == maker }) {
        pinned = order[position].index
        return move(position, to: 0)
      }
      guard plan.limits.holdsConversations, question.controls?.sort == nil, question.variant?.sort == nil,
        let position = order.firstIndex(where: { scored[$0.index].isHolder })
      else { return }
      let holder = scored[order[position].index]
      let best = scored[first.index]
      // It must be in as good a standing as the first pick.
      guard holder.tier <= best.tier, holder.setbacks.isSubset(of: best.setbacks) else { return }
      if case .written = policy { return }
      let isCheaper =
        holder.hasPrice && best.hasPrice
        ? holder.cost.total <= best.cost.total * (1 + Selection.hysteresis) : !best.hasPrice
      guard isCheaper, holder.cost.cachedTokens > 0 || question.controls?.sessionID != nil else { return }
      held = order[position].index
      move(position, to: 0)
    }

    /// Now and then the first pick is an endpoint that nothing was heard of lately, so that what is known stays true.
    private mutating func explore(using random: inout FastRandom) {
      let share = plan.limits.exploration
      guard share > 0, order.count > 1, namedOrder.isEmpty, question.controls?.sort == nil,
        question.variant?.sort == nil
      else { return }
      guard Double(random.next() >> 11) * 0x1p-53 < share, let first = order.first else { return }
      let best = scored[first.index]
      var idle: Int?
      var oldest = UInt64.max
      for (position, ranked) in order.enumerated() {
        let candidate = scored[ranked.index]
        guard candidate.tier == best.tier, candidate.setbacks.isEmpty else { continue }
        let lastHeard = selection.knowledge.estimate(candidate.place).lastHeard
        guard lastHeard == 0 || selection.now > lastHeard &+ Selection.idleAfter else { continue }
        guard !best.hasPrice || candidate.hasPrice,
          candidate.cost.now <= best.cost.now * Selection.explorationPriceLimit || best.cost.now <= 0
        else { continue }
        if lastHeard < oldest {
          oldest = lastHeard
          idle = position
        }
      }
      guard let idle, idle > 0 else { return }
      explored = order[idle].index
      move(idle, to: 0)
    }

    private mutating func move(_ position: Int, to front: Int) {
      let ranked = order.remove(at: position)
      order.insert(ranked, at: front)
    }

    /// `allow_fallbacks: false`: the named ones alone, or the first pick alone.
    private mutating func dropFallbacks(_ places: inout [Int]) {
      let source: Rejection.Source
      if plan.limits.hasControls, plan.limits.controls.allowFallbacks == false {
        source = .route
      } else if question.controls?.allowFallbacks == false {
        source = .request
      } else {
        return
      }
      let kept = namedOrder.isEmpty ? 1 : order.prefix { $0.group < 0 }.count
      guard places.count > kept else { return }
      for place in places[kept...] { rejected?.append((place, .noFallbacks(source))) }
      places.removeSubrange(kept...)
      order.removeSubrange(kept...)
    }
  }

  /// A candidate on its way to its place in the order: one number, since a thousand of them are sorted for each request.
  struct Ranked: Comparable {
    /// From the highest bit: the group, the rank, the place in `Work.scored`.
    private let key: UInt128

    /// - Parameters:
    ///   - rank: within a group the least comes first; equals in the order of the file. Not NaN.
    ///   - group: groups follow one another, the lowest first.
    ///   - index: the place in `Work.scored`.
    init(rank: Double, group: Int32, index: Int32) {
      // Negative numbers, all bits turned, come before positive ones, whose sign bit is set; -0 becomes 0.
      let bits = (rank + 0).bitPattern
      let ordered = bits >> 63 == 1 ? ~bits : bits | 1 << 63
      let high = UInt64(UInt32(bitPattern: group) ^ 1 << 31) << 32 | ordered >> 32
      let low = ordered << 32 | UInt64(UInt32(bitPattern: index))
      key = UInt128(high) << 64 | UInt128(low)
    }

    var group: Int32 { Int32(bitPattern: UInt32(truncatingIfNeeded: key >> 96) ^ 1 << 31) }
    var index: Int { Int(UInt32(truncatingIfNeeded: key)) }

    @inline(__always)
    static func < (one: Ranked, other: Ranked) -> Bool { one.key < other.key }
  }
}

extension ModelVariant {
  /// By what the suffix sorts; `nil` for one that only filters.
  var sort: RequestControls.SortKey? {
    switch self {
    case .nitro: .throughput
    case .floor: .price
    case .exacto: .exacto
    case .free: nil
    }
  }
}
