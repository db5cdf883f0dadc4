/// An endpoint of a world, with everything that will happen to it.
struct JudgedEndpoint: Sendable {
  /// Pico-USD per token.
  struct Price: Sendable, Equatable {
    var input: Int64
    /// `nil`: there is no cache.
    var cached: Int64?
    var output: Int64

    /// What the provider bills for these tokens.
    func bill(prompt: Int64, cachedTokens: Int64, output tokens: Int64) -> Int64 {
      (prompt - cachedTokens) * input + cachedTokens * (cached ?? input) + tokens * output
    }
  }

  /// A time in which requests fail.
  struct Trouble: Sendable {
    var from: UInt64
    var to: UInt64
    /// Which share of them; 1 when the node is gone.
    var fails: Double
    /// Until a failure is seen.
    var delay: UInt64
    /// Running answers break off at its beginning, and the cache is gone.
    var isDeath: Bool
  }

  var name: String
  var firstToken: Double
  var tokensPerSecond: Double
  var prefill: Double
  var concurrency: Int
  var perMinute: Double?
  var cacheLife: UInt64
  var cacheTokens: Int64
  var keepsAnswers: Bool
  var failures: Double
  var nodeLife: Double?
  var appears: UInt64
  /// Ascending; the first is at 0.
  var prices: [(at: UInt64, price: Price)]
  /// Ascending by `from`. Outages may overlap with deaths.
  var troubles: [Trouble]

  func price(at now: UInt64) -> Price {
    var current = prices[0].price
    for entry in prices where entry.at <= now { current = entry.price }
    return current
  }

  /// The worst that is going on.
  func trouble(at now: UInt64) -> Trouble? {
    var worst: Trouble?
    for trouble in troubles {
      if trouble.from > now { break }
      if trouble.to > now, trouble.fails > worst?.fails ?? 0 { worst = trouble }
    }
    return worst
  }

  /// The first death after `begin`, up to `end`.
  func death(after begin: UInt64, to end: UInt64) -> UInt64? {
    for trouble in troubles where trouble.isDeath && trouble.from > begin {
      return trouble.from <= end ? trouble.from : nil
    }
    return nil
  }
}

/// How one attempt would go: the same for everyone who makes it.
struct AttemptLuck {
  /// Multiplies the time to the first token: mostly 0.7 to 1.3; one in thirty is four times slower.
  let slowness: Double
  /// From 0.85 to 1.15, multiplies the speed.
  let pace: Double
  /// From 0 to 1: fails when it is below the share that fails.
  let failing: Double

  init(seed: UInt64, endpoint: Int, conversation: Int, turn: Int, sending: Int) {
    var random = JudgeRandom(
      seed, 0xa11ce, UInt64(endpoint), UInt64(conversation), UInt64(turn) << 8 | UInt64(sending))
    let even = 0.7 + 0.6 * random.unit()
    slowness = random.unit() < 1.0 / 30 ? even * 4 : even
    pace = 0.85 + 0.3 * random.unit()
    failing = random.unit()
  }
}

extension JudgedEndpoint {
  /// Nanoseconds to the first token.
  func firstToken(_ luck: AttemptLuck, uncached: Int64) -> UInt64 {
    JudgeTime.span(firstToken * luck.slowness + Double(uncached) / prefill)
  }

  /// Nanoseconds from the first token to the end.
  func generation(_ luck: AttemptLuck, output: Int64) -> UInt64 {
    JudgeTime.span(Double(output) / (tokensPerSecond * luck.pace))
  }

  /// How an attempt at `now` that gets in fails before content; `nil` when it does not, as far as is known then.
  func failure(_ luck: AttemptLuck, at now: UInt64) -> UInt64? {
    if let trouble = trouble(at: now), luck.failing < max(trouble.fails, failures) { return trouble.delay }
    return luck.failing < failures ? 300_000_000 : nil
  }
}
