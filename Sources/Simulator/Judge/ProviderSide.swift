/// What an endpoint of the world keeps while a run goes on: running requests, the bucket of its rate limit, its cache.
struct ProviderSide {
  private struct Entry {
    var tokens: Int64
    var usedAt: UInt64
  }

  private let facts: JudgedEndpoint
  private(set) var running = 0
  private var bucket: Double
  private var bucketAt = JudgeTime.start
  /// By conversation; by group, under -1, -2 …, for the system prompt.
  private var cache: [Int: Entry] = [:]
  private var kept: Int64 = 0

  init(_ facts: JudgedEndpoint) {
    self.facts = facts
    bucket = Self.size(facts)
  }

  private static func size(_ facts: JudgedEndpoint) -> Double { facts.perMinute.map { max($0 / 10, 1) } ?? 1 }

  /// Lets a request in, or says how long there is no room.
  mutating func enter(at now: UInt64) -> (isIn: Bool, retryAfter: UInt64?) {
    if running >= facts.concurrency { return (false, 1_000_000_000) }
    running += 1
    guard let perMinute = facts.perMinute else { return (true, nil) }
    bucket = min(bucket + JudgeTime.seconds(now - bucketAt) * perMinute / 60, Self.size(facts))
    bucketAt = now
    let wait = JudgeTime.span(60 / perMinute)
    if bucket < 1 {
      running -= 1
      return (false, wait)
    }
    bucket -= 1
    return (true, bucket < 1 ? wait : nil)
  }

  mutating func leave() { running -= 1 }

  /// Tokens of this prompt that are in the cache.
  func cached(_ request: JudgedRequest, system: Int64, at now: UInt64) -> Int64 {
    let own = live(request.conversation, at: now)
    let shared = min(live(-1 - request.group, at: now), system)
    return min(max(own, shared), request.promptTokens)
  }

  /// A prompt was read, and perhaps answered, here.
  mutating func keep(_ request: JudgedRequest, system: Int64, answer: Int64, at now: UInt64) {
    guard facts.cacheLife > 0 else { return }
    put(request.conversation, request.promptTokens + (facts.keepsAnswers ? answer : 0), at: now)
    put(-1 - request.group, system, at: now)
    while kept > facts.cacheTokens,
      let oldest = cache.min(by: { ($0.value.usedAt, $0.key) < ($1.value.usedAt, $1.key) })
    {
      kept -= oldest.value.tokens
      cache[oldest.key] = nil
    }
  }

  private mutating func put(_ key: Int, _ tokens: Int64, at now: UInt64) {
    kept += tokens - (cache[key]?.tokens ?? 0)
    cache[key] = Entry(tokens: tokens, usedAt: now)
  }

  private func live(_ key: Int, at now: UInt64) -> Int64 {
    guard let entry = cache[key], now <= entry.usedAt + facts.cacheLife else { return 0 }
    return facts.death(after: entry.usedAt, to: now) == nil ? entry.tokens : 0
  }
}
