import Wire

/// All that is kept of one endpoint.
struct EndpointHistory: Sendable {
  /// Quality is counted in steps of five minutes, for two hours.
  static let qualitySteps = 24
  /// Output tokens below which an answer says nothing about the speed of generation.
  static let fewestTokens: Int64 = 8
  /// Half-lives in slots: of the cache's yield half an hour, of the nodes' life six hours.
  static let cacheHalfLife = 180.0
  static let lifeHalfLife = 2_160.0
  /// And of the usual prompt ten minutes.
  static let promptHalfLife = 60.0

  /// `Endpoint.key`.
  let key: UInt64
  /// Monotonic nanoseconds of the newest observation; negative when that was before the clock began.
  var heardAt: Int64
  /// Seconds.
  var firstToken = TimedSamples()
  /// Output tokens per second between the first token and the end; from the start when not streamed.
  var generation = TimedSamples()
  /// Output tokens per second of the whole attempt.
  var throughput = TimedSamples()
  var attempts = SlottedTally<AttemptTally>(stepSlots: 1, stepLimit: Slot.long)
  var quality = SlottedTally<QualityTally>(stepSlots: Slot.short, stepLimit: qualitySteps)
  /// Cached tokens as reported, over those that were expected.
  var cache = DecayedRatio()
  /// Seconds that attempts were running, over how many of them broke off.
  var life = DecayedRatio()
  /// Prompt tokens of what `firstToken` is of, over how many.
  var prompt = DecayedRatio()

  /// Whether it was looked for in the table.
  var isPlaced = false
  /// The place in the table's endpoints; `nil` when it is in none.
  var place: Int?
  /// The slot since when it is in no table.
  var goneSince: Int?
  /// Something was folded since it was last looked at.
  var isChanged = false

  init(key: UInt64, heardAt: Int64) {
    self.key = key
    self.heardAt = heardAt
  }

  mutating func add(_ seen: AttemptObservation) {
    let slot = Slot.at(seen.at)
    heardAt = max(heardAt, Int64(clamping: seen.at))
    var tally = AttemptTally()
    tally.requests = 1
    switch seen.result {
    case .completed: tally.completed = 1
    case .failed: tally.failed = 1
    case .interrupted: tally.interrupted = 1
    case .rateLimited: tally.rateLimited = 1
    case .unjudged: break
    }
    attempts.add(tally, slot: slot)
    if let first = seen.firstToken {
      firstToken.add(Self.seconds(first), slot: slot)
      addPrompt(seen, slot)
    }
    addSpeed(seen, slot)
    if seen.result == .completed, seen.expectedCached > 0, let cached = seen.usage.cachedInput {
      let reported = min(max(cached, 0), seen.expectedCached)
      cache.add(
        over: Double(reported), under: Double(seen.expectedCached), at: slot, halfLife: Self.cacheHalfLife)
    }
    if seen.result == .completed || seen.result == .interrupted || seen.firstToken != nil {
      life.add(
        over: Double(Self.seconds(seen.duration)), under: seen.result == .interrupted ? 1 : 0, at: slot,
        halfLife: Self.lifeHalfLife)
    }
    if let verdict = seen.quality { quality.add(QualityTally(verdict), slot: slot) }
  }

  /// Moves the windows on.
  mutating func age(slot: Int) {
    firstToken.age(slot: slot)
    generation.age(slot: slot)
    throughput.age(slot: slot)
    attempts.age(slot: slot)
    quality.age(slot: slot)
  }

  /// Whether it can still change by growing older: what it is reported of goes two hours back.
  func isWarm(slot: Int) -> Bool {
    heardSlot > slot - Self.qualitySteps * Slot.short - Slot.short
  }

  var heardSlot: Int { Int(heardAt / Int64(Slot.nanoseconds)) }

  /// By the provider's count, or else by the bytes of the text.
  private mutating func addPrompt(_ seen: AttemptObservation, _ slot: Int) {
    var tokens = Double(seen.promptBytes) * RouteEstimate().tokensPerByte
    if let input = seen.usage.input, input > 0 { tokens = Double(input) }
    guard tokens >= 1 else { return }
    prompt.add(over: min(tokens, 1e8), under: 1, at: slot, halfLife: Self.promptHalfLife)
  }

  private mutating func addSpeed(_ seen: AttemptObservation, _ slot: Int) {
    guard seen.result == .completed || seen.result == .unjudged else { return }
    guard let output = seen.usage.output, output > 0, seen.duration > 0 else { return }
    throughput.add(Float(output) / Self.seconds(seen.duration), slot: slot)
    if output < Self.fewestTokens { return }
    let first = min(seen.firstToken ?? 0, seen.duration)
    generation.add(Float(output) / Self.seconds(seen.duration - first), slot: slot)
  }

  /// At least a millisecond: what is shorter was not measured, it was in a buffer.
  private static func seconds(_ microseconds: UInt64) -> Float {
    max(Float(microseconds) / 1_000_000, 0.001)
  }
}

extension QualityTally {
  init(_ verdict: QualityVerdict) {
    answers = 1
    empty = verdict.isEmpty ? 1 : 0
    toolAnswers = verdict.hasToolCalls ? 1 : 0
    badTools = verdict.hasToolCalls && verdict.hasBadToolCall ? 1 : 0
    jsonAnswers = verdict.wantsJSON ? 1 : 0
    badJSON = verdict.wantsJSON && verdict.hasBadJSON ? 1 : 0
  }
}
