#if canImport(Glibc)
  import Glibc
#endif

/// A trace with a seed: a fleet with all that will happen to it, and all that the agents will say.
struct JudgedWorld: Sendable {
  let seed: UInt64
  let listEvery: UInt64
  let endpoints: [JudgedEndpoint]
  /// In the order in which they begin.
  let conversations: [PlannedConversation]

  init(_ trace: JudgeTrace, seed: UInt64) {
    self.seed = seed
    listEvery = max(JudgeTime.span(trace.listEvery), 1)
    var endpoints: [JudgedEndpoint] = []
    for (kind, provider) in trace.fleet.enumerated() {
      let events = (trace.events ?? []).filter { $0.of == provider.name }
      for number in 0..<(provider.count ?? 1) {
        var random = JudgeRandom(seed, 0xf1ee7, UInt64(kind), UInt64(number))
        let name = provider.count == nil ? provider.name : "\(provider.name)\(number + 1)"
        endpoints.append(JudgedEndpoint(provider, name: name, events: events, length: trace.length, &random))
      }
    }
    self.endpoints = endpoints
    var conversations: [PlannedConversation] = []
    for (kind, group) in trace.agents.enumerated() {
      for number in 0..<group.count {
        var random = JudgeRandom(seed, 0xa9e47, UInt64(kind), UInt64(number))
        conversations.append(PlannedConversation(group, kind: kind, &random))
      }
    }
    // The arrivals are distinct but for chance; equals stay in the order of the trace.
    self.conversations = conversations.enumerated()
      .sorted { ($0.element.begins, $0.offset) < ($1.element.begins, $1.offset) }.map(\.element)
  }

  /// What routers have heard of an endpoint's price; `nil` before they know that it is there.
  func knownPrice(_ endpoint: Int, at now: UInt64) -> JudgedEndpoint.Price? {
    let read = JudgeTime.start + (now - JudgeTime.start) / listEvery * listEvery
    let endpoint = endpoints[endpoint]
    return endpoint.appears > read ? nil : endpoint.price(at: read)
  }

  /// The readings that tell routers something new, ascending.
  var notices: [UInt64] {
    var moments: Set<UInt64> = []
    for endpoint in endpoints {
      for moment in [endpoint.appears] + endpoint.prices.map(\.at) where moment > JudgeTime.start {
        moments.insert(JudgeTime.start + (moment - JudgeTime.start + listEvery - 1) / listEvery * listEvery)
      }
    }
    return moments.sorted()
  }
}

/// What one agent will say, whoever answers.
struct PlannedConversation: Sendable {
  struct Turn: Sendable {
    /// Tokens of the whole prompt.
    var prompt: Int64
    var output: Int64
    /// From the end of this answer to the next turn.
    var think: UInt64
  }

  /// Whose system prompt it shares.
  let group: Int
  let begins: UInt64
  let system: Int64
  let bytesPerToken: Double
  let turns: [Turn]

  init(_ group: JudgeTrace.AgentGroup, kind: Int, _ random: inout JudgeRandom) {
    self.group = kind
    begins = JudgeTime.at(group.arrive.drawn(&random))
    system = Int64(group.system)
    bytesPerToken = (group.bytesPerToken ?? .init(3.4, 4.6)).drawn(&random)
    let count = Int(group.turns.drawn(&random).rounded())
    var history = Int64(group.system)
    turns = (0..<count).map { _ in
      let text = Int64(group.text.drawn(&random).rounded())
      let output = Int64(group.answer.drawn(&random).rounded())
      let think = JudgeTime.span(group.think.drawn(&random))
      let turn = Turn(prompt: history + text, output: output, think: think)
      history += text + output
      return turn
    }
  }
}

extension JudgedEndpoint {
  init(
    _ provider: JudgeTrace.Provider, name: String, events: [JudgeTrace.Event], length: Double,
    _ random: inout JudgeRandom
  ) {
    self.name = name
    firstToken = provider.firstToken.drawn(&random)
    tokensPerSecond = provider.tokensPerSecond.drawn(&random)
    prefill = provider.prefill ?? 10_000
    concurrency = provider.concurrency
    perMinute = provider.perMinute
    cacheLife = provider.cached == nil ? 0 : JudgeTime.span(provider.cacheLife ?? 300)
    cacheTokens = Int64(provider.cacheTokens ?? Int(Int32.max))
    keepsAnswers = provider.keepsAnswers ?? true
    failures = provider.failures ?? 0
    nodeLife = provider.nodeLife
    appears = provider.appears.map { JudgeTime.at($0.drawn(&random)) } ?? 0
    let base = (
      input: provider.input.drawn(&random), cached: provider.cached?.drawn(&random),
      output: provider.output.drawn(&random)
    )
    func price(_ times: Double) -> Price {
      func pico(_ usd: Double) -> Int64 { Int64((usd * times * 1e6).rounded()) }
      return Price(input: pico(base.input), cached: base.cached.map(pico), output: pico(base.output))
    }
    prices = [(0, price(1))]
    troubles = []
    for event in events {
      var begin = event.at.drawn(&random)
      while begin < length {
        let end = event.lasts.map { begin + $0.drawn(&random) }
        switch event.kind {
        case .price:
          prices.append((JudgeTime.at(begin), price(event.times?.drawn(&random) ?? 1)))
          if let end { prices.append((JudgeTime.at(end), price(1))) }
        case .outage:
          troubles.append(
            Trouble(
              from: JudgeTime.at(begin), to: JudgeTime.at(end ?? length), fails: event.fails?.drawn(&random) ?? 1,
              delay: JudgeTime.span(event.failsAfter ?? 0.3), isDeath: false))
        }
        guard let end, let again = event.again else { break }
        begin = end + again.drawn(&random)
      }
    }
    if let life = provider.nodeLife {
      var born = max(JudgeTime.seconds(appears > JudgeTime.start ? appears - JudgeTime.start : 0), 0)
      while born < length {
        // An exponential life; what is drawn is never 0.
        let death = born - life * log(1 - random.unit())
        let back = death + max(provider.absence?.drawn(&random) ?? 60, 1)
        if death < length {
          troubles.append(
            Trouble(from: JudgeTime.at(death), to: JudgeTime.at(back), fails: 1, delay: 100_000_000, isDeath: true))
        }
        born = back
      }
    }
    prices.sort { $0.at < $1.at }
    troubles.sort { $0.from < $1.from }
  }
}
