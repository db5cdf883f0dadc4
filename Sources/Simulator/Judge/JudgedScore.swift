/// What a run came to.
struct JudgedScore: Sendable {
  /// Of one turn.
  struct Turn: Sendable {
    /// Pico-USD, all attempts together.
    var cost: Int64 = 0
    /// The agent has its answer, if after sending the turn again.
    var isAnswered = false
    /// How often the router answered with an error instead, and how often an answer broke off.
    var refusals = 0
    var breaks = 0
    var prompt: Int64 = 0
    var cached: Int64 = 0
    /// Nanoseconds from the turn's beginning to the first token of its whole answer.
    var firstToken: UInt64 = 0
    /// The endpoint of the whole answer.
    var endpoint = -1
  }

  /// By conversation and turn.
  var turns: [[Turn]]

  init(_ world: JudgedWorld) {
    turns = world.conversations.map { $0.turns.map { _ in Turn() } }
  }
}

/// Scores of several runs of one chooser, beside the oracle's in the same worlds.
struct JudgedSums {
  var cost: Int64 = 0
  /// What the oracle paid for the turns that this chooser got answered: a turn without an answer is no saving.
  var oracleCost: Int64 = 0
  var turns = 0
  /// Turns without an error of the router; and those that did not break off either.
  var successes = 0
  var unbroken = 0
  var prompt: Int64 = 0
  var cached: Int64 = 0
  var oraclePrompt: Int64 = 0
  var oracleCached: Int64 = 0
  var moves = 0
  var conversations = 0
  var firstTokens: [UInt64] = []

  mutating func add(_ score: JudgedScore, oracle: JudgedScore) {
    for (own, best) in zip(score.turns, oracle.turns) {
      conversations += 1
      var last = -1
      for (turn, other) in zip(own, best) {
        turns += 1
        cost += turn.cost
        oraclePrompt += other.prompt
        oracleCached += other.cached
        guard turn.isAnswered else { continue }
        if turn.refusals == 0 { successes += 1 }
        if turn.refusals + turn.breaks == 0 { unbroken += 1 }
        oracleCost += other.cost
        prompt += turn.prompt
        cached += turn.cached
        firstTokens.append(turn.firstToken)
        if last >= 0, turn.endpoint != last { moves += 1 }
        last = turn.endpoint
      }
    }
  }

  mutating func add(_ other: JudgedSums) {
    cost += other.cost
    oracleCost += other.oracleCost
    turns += other.turns
    successes += other.successes
    unbroken += other.unbroken
    prompt += other.prompt
    cached += other.cached
    oraclePrompt += other.oraclePrompt
    oracleCached += other.oracleCached
    moves += other.moves
    conversations += other.conversations
    firstTokens += other.firstTokens
  }

  var costRatio: Double { oracleCost == 0 ? 0 : Double(cost) / Double(oracleCost) }
  var success: Double { turns == 0 ? 0 : Double(successes) / Double(turns) }
  var unbrokenShare: Double { turns == 0 ? 0 : Double(unbroken) / Double(turns) }
  var cachedShare: Double { prompt == 0 ? 0 : Double(cached) / Double(prompt) }
  /// Cached share over the oracle's.
  var reachedCache: Double {
    oracleCached == 0 || oraclePrompt == 0 ? 1 : cachedShare / (Double(oracleCached) / Double(oraclePrompt))
  }
  var movesPerConversation: Double { conversations == 0 ? 0 : Double(moves) / Double(conversations) }

  /// Seconds.
  func firstToken(percentile: Double) -> Double {
    guard !firstTokens.isEmpty else { return 0 }
    let sorted = firstTokens.sorted()
    let place = Int((Double(sorted.count - 1) * percentile).rounded())
    return JudgeTime.seconds(sorted[place])
  }
}
