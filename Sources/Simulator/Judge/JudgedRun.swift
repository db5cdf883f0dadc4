/// One chooser in one world, from the first turn to the last.
struct JudgedRun {
  /// How long an agent waits before it sends a turn again: whose answer broke off, or which was refused. Then it gives
  /// the turn up.
  private static let patience: [UInt64] = [1_000_000_000, 4_000_000_000, 16_000_000_000]

  private enum Event {
    case notice
    case send(conversation: Int)
    case answer(JudgedRequest)
    case attempt(conversation: Int, AttemptReport, isIn: Bool)
  }

  private struct Progress {
    var turn = 0
    var sendings = 0
    var begins: UInt64 = 0
    var request: JudgedRequest
    /// Endpoints that were tried in this turn.
    var tried: [Int] = []
  }

  private let world: JudgedWorld
  private let chooser: any Chooser
  private var sides: [ProviderSide]
  private var progress: [Progress]
  private var queue = EventQueue<Event>()
  private var score: JudgedScore
  private var requests = 0

  /// - Returns: the same score for the same arguments.
  static func score(_ chooser: any Chooser, in world: JudgedWorld) -> JudgedScore {
    var run = JudgedRun(chooser, world)
    return run.finish()
  }

  private init(_ chooser: any Chooser, _ world: JudgedWorld) {
    self.world = world
    self.chooser = chooser
    sides = world.endpoints.map { ProviderSide($0) }
    progress = world.conversations.enumerated().map { place, plan in
      Progress(
        request: JudgedRequest(
          id: 0, conversation: place, group: plan.group, turn: 0, promptTokens: 0, promptBytes: 0,
          systemBytes: Int(Double(plan.system) * plan.bytesPerToken)))
    }
    score = JudgedScore(world)
  }

  private mutating func finish() -> JudgedScore {
    chooser.hear(world, at: JudgeTime.start)
    for moment in world.notices { queue.add(.notice, at: moment) }
    for (place, plan) in world.conversations.enumerated() { queue.add(.send(conversation: place), at: plan.begins) }
    while let (now, event) = queue.next() {
      switch event {
      case .notice: chooser.hear(world, at: now)
      case .send(let conversation): send(conversation, now)
      case .answer(let request): chooser.answers(request, at: now)
      case .attempt(let conversation, let report, let isIn): ended(conversation, report, isIn: isIn, now)
      }
    }
    return score
  }

  private mutating func send(_ conversation: Int, _ now: UInt64) {
    let plan = world.conversations[conversation]
    let turn = plan.turns[progress[conversation].turn]
    if progress[conversation].sendings == 0 { progress[conversation].begins = now }
    progress[conversation].sendings += 1
    requests += 1
    progress[conversation].request.id = requests
    progress[conversation].request.turn = progress[conversation].turn
    progress[conversation].request.promptTokens = turn.prompt
    progress[conversation].request.promptBytes = Int(Double(turn.prompt) * plan.bytesPerToken)
    chooser.begin(progress[conversation].request, at: now)
    tryNext(conversation, now)
  }

  private mutating func tryNext(_ conversation: Int, _ now: UInt64) {
    guard let endpoint = chooser.next(progress[conversation].request, at: now) else {
      score.turns[conversation][progress[conversation].turn].refusals += 1
      return again(conversation, now)
    }
    let facts = world.endpoints[endpoint]
    let request = progress[conversation].request
    let luck = AttemptLuck(
      seed: world.seed, endpoint: endpoint, conversation: conversation, turn: request.turn,
      sending: progress[conversation].tried.count { $0 == endpoint })
    progress[conversation].tried.append(endpoint)
    var report = AttemptReport(endpoint: endpoint, result: .failed, started: now)
    let entry = sides[endpoint].enter(at: now)
    report.retryAfter = entry.retryAfter
    guard entry.isIn else {
      report.result = .rateLimited
      return queue.add(.attempt(conversation: conversation, report, isIn: false), at: now + 30_000_000)
    }
    if let delay = facts.failure(luck, at: now) {
      return queue.add(.attempt(conversation: conversation, report, isIn: true), at: now + delay)
    }
    let turn = world.conversations[conversation].turns[request.turn]
    let system = world.conversations[conversation].system
    let cached = sides[endpoint].cached(request, system: system, at: now)
    let first = now + facts.firstToken(luck, uncached: turn.prompt - cached)
    let end = first + facts.generation(luck, output: turn.output)
    report.promptTokens = turn.prompt
    report.cachedTokens = cached
    report.outputTokens = turn.output
    report.result = .completed
    report.firstToken = first
    var last = end
    if let death = facts.death(after: now, to: end) {
      last = death
      if death > first {
        report.result = .interrupted
        report.outputTokens = Int64(Double(turn.output) * Double(death - first) / Double(end - first))
      } else {
        report.result = .failed
        report.firstToken = nil
      }
    }
    if report.firstToken != nil { queue.add(.answer(request), at: first) }
    queue.add(.attempt(conversation: conversation, report, isIn: true), at: last)
  }

  private mutating func ended(_ conversation: Int, _ report: AttemptReport, isIn: Bool, _ now: UInt64) {
    if isIn { sides[report.endpoint].leave() }
    let request = progress[conversation].request
    let plan = world.conversations[conversation]
    let turn = request.turn
    let price = world.endpoints[report.endpoint].price(at: report.started)
    if report.result == .completed || report.result == .interrupted {
      score.turns[conversation][turn].cost += price.bill(
        prompt: report.promptTokens, cachedTokens: report.cachedTokens, output: report.outputTokens)
    }
    if report.result == .completed {
      sides[report.endpoint].keep(request, system: plan.system, answer: report.outputTokens, at: now)
    }
    chooser.ended(request, report, at: now)
    switch report.result {
    case .failed, .rateLimited: tryNext(conversation, now)
    case .interrupted:
      score.turns[conversation][turn].breaks += 1
      again(conversation, now)
    case .completed:
      score.turns[conversation][turn].isAnswered = true
      score.turns[conversation][turn].prompt = report.promptTokens
      score.turns[conversation][turn].cached = report.cachedTokens
      score.turns[conversation][turn].firstToken = (report.firstToken ?? now) - progress[conversation].begins
      score.turns[conversation][turn].endpoint = report.endpoint
      goOn(conversation, now)
    }
  }

  /// The agent has no whole answer yet.
  private mutating func again(_ conversation: Int, _ now: UInt64) {
    let sendings = progress[conversation].sendings
    guard sendings <= Self.patience.count else { return goOn(conversation, now) }
    queue.add(.send(conversation: conversation), at: now + Self.patience[sendings - 1])
  }

  private mutating func goOn(_ conversation: Int, _ now: UInt64) {
    let plan = world.conversations[conversation]
    let think = plan.turns[progress[conversation].turn].think
    progress[conversation].turn += 1
    progress[conversation].sendings = 0
    progress[conversation].tried = []
    if progress[conversation].turn < plan.turns.count {
      queue.add(.send(conversation: conversation), at: now + think)
    }
  }
}

/// What is to come, the earliest first; at one moment in the order in which it was added.
private struct EventQueue<Event> {
  private struct Item {
    var at: UInt64
    var number: Int
    var event: Event

    func precedes(_ other: Item) -> Bool { at != other.at ? at < other.at : number < other.number }
  }

  private var heap: [Item] = []
  private var added = 0

  mutating func add(_ event: Event, at moment: UInt64) {
    added += 1
    heap.append(Item(at: moment, number: added, event: event))
    var place = heap.count - 1
    while place > 0 {
      let parent = (place - 1) / 2
      guard heap[place].precedes(heap[parent]) else { return }
      heap.swapAt(place, parent)
      place = parent
    }
  }

  mutating func next() -> (UInt64, Event)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return (first.at, first.event) }
    heap[0] = last
    var place = 0
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2] where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      if least == place { break }
      heap.swapAt(place, least)
      place = least
    }
    return (first.at, first.event)
  }
}
