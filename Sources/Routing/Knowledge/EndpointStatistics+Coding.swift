/// The state as bytes, so that a restart begins with what was known. No name of a client, no text of a request is in it:
/// `Endpoint.key`s, names of routes, and numbers. Times are ages in slots, with the wall clock of the writing, because a
/// restarted machine's monotonic clock begins anew.
extension EndpointStatistics {
  private static let signature: UInt32 = 0x5453_4d50
  /// 2 since the usual prompt is in it; 1 is still read.
  private static let version: UInt8 = 2
  /// How many of the newest samples of each kind are kept.
  static let samplesKept = 128
  /// Ages above this (about ten years of slots) are taken as this.
  private static let oldest = 1 << 25

  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  ///   - unixSeconds: the wall clock.
  public func encoded(now: UInt64, unixSeconds: Int64) -> [UInt8] {
    var out = StatisticsWriter()
    out.putFixed(Self.signature)
    out.putFixed(Self.version)
    out.putFixed(unixSeconds)
    let slot = Slot.at(now)
    out.put(histories.count)
    for var history in histories {
      history.age(slot: slot)
      out.put(history, slot)
    }
    out.put(routes.count)
    for (name, history) in routes.sorted(by: { $0.key < $1.key }) {
      out.put(name)
      out.put(history)
    }
    out.putCheck()
    return out.bytes
  }

  /// Reads what `encoded` wrote, an hour or a year ago; an empty state when it is anything else.
  ///
  /// - Parameters:
  ///   - now: monotonic nanoseconds of this process.
  ///   - unixSeconds: the wall clock.
  public init(encoded bytes: [UInt8], now: UInt64, unixSeconds: Int64) {
    do {
      try self.init(reading: bytes, now: now, unixSeconds: unixSeconds)
    } catch {
      self.init()
    }
  }

  private init(reading bytes: [UInt8], now: UInt64, unixSeconds: Int64) throws(StatisticsReader.Malformed) {
    var reader = try StatisticsReader(bytes)
    guard try reader.fixed(UInt32.self) == Self.signature else { throw StatisticsReader.Malformed() }
    let version = try reader.fixed(UInt8.self)
    guard (1...Self.version).contains(version) else { throw StatisticsReader.Malformed() }
    let (since, isOver) = unixSeconds.subtractingReportingOverflow(try reader.fixed(Int64.self))
    let away = isOver ? Self.oldest : Int(min(max(since, 0) / 10, Int64(Self.oldest)))
    let begin = Slot.at(now) - away
    var histories: [EndpointHistory] = []
    var keys: Set<UInt64> = []
    for _ in 0..<(try reader.count(upTo: 1_000_000)) {
      let history = try reader.history(begin, oldest: Self.oldest, version: version)
      guard keys.insert(history.key).inserted else { throw StatisticsReader.Malformed() }
      histories.append(history)
    }
    var routes: [String: RouteHistory] = [:]
    for _ in 0..<(try reader.count(upTo: 1_000_000)) {
      routes[try reader.text(upTo: 4_096)] = try reader.route()
    }
    guard reader.isAtEnd else { throw StatisticsReader.Malformed() }
    self.init(histories: histories, routes: routes)
  }
}

extension StatisticsWriter {
  fileprivate mutating func put(_ history: EndpointHistory, _ slot: Int) {
    putFixed(history.key)
    put(slot - history.heardSlot)
    for samples in [history.firstToken, history.generation, history.throughput] {
      put(samples.past.weight)
      put(samples.past.mean)
      put(slot - samples.past.slot)
      let kept = samples.samples.suffix(EndpointStatistics.samplesKept)
      put(kept.count)
      put(min(samples.recent, kept.count))
      for sample in kept {
        put(slot - Int(sample.slot))
        put(sample.value)
      }
    }
    put(history.attempts.steps.count)
    for step in history.attempts.steps {
      put(slot - step.number)
      let count = step.count
      for number in [count.requests, count.completed, count.failed, count.interrupted, count.rateLimited] {
        put(Int(number))
      }
    }
    put(history.quality.steps.count)
    for step in history.quality.steps {
      put(slot - step.number * history.quality.stepSlots)
      let count = step.count
      for number in [
        count.answers, count.empty, count.toolAnswers, count.badTools, count.jsonAnswers, count.badJSON,
      ] {
        put(Int(number))
      }
    }
    for ratio in [history.cache, history.life, history.prompt] {
      put(ratio.over)
      put(ratio.under)
      put(ratio.count)
      put(slot - ratio.slot)
    }
  }

  fileprivate mutating func put(_ route: RouteHistory) {
    for number in [
      route.tokensPerByte, route.deviation, route.prompts, route.outputTokens, route.outputs, route.continuation,
    ] {
      put(number)
    }
    put(route.answers)
  }
}

extension StatisticsReader {
  /// - Parameter begin: the slot of the writing, by this process's clock.
  fileprivate mutating func history(_ begin: Int, oldest: Int, version: UInt8) throws(Malformed) -> EndpointHistory {
    func slot(_ reader: inout StatisticsReader) throws(Malformed) -> Int {
      begin - min(Int(clamping: try reader.number()), oldest)
    }
    let key: UInt64 = try fixed()
    var history = EndpointHistory(key: key, heardAt: Int64(try slot(&self)) * Int64(Slot.nanoseconds))
    history.firstToken = try samples(slot)
    history.generation = try samples(slot)
    history.throughput = try samples(slot)
    for _ in 0..<(try count(upTo: 2 * Slot.long)) {
      let at = try slot(&self)
      var tally = AttemptTally()
      tally.requests = try tallied()
      tally.completed = try tallied()
      tally.failed = try tallied()
      tally.interrupted = try tallied()
      tally.rateLimited = try tallied()
      history.attempts.add(tally, slot: at)
    }
    for _ in 0..<(try count(upTo: 2 * EndpointHistory.qualitySteps)) {
      let at = try slot(&self)
      var tally = QualityTally()
      tally.answers = try tallied()
      tally.empty = try tallied()
      tally.toolAnswers = try tallied()
      tally.badTools = try tallied()
      tally.jsonAnswers = try tallied()
      tally.badJSON = try tallied()
      history.quality.add(tally, slot: at)
    }
    history.cache = try ratio(slot)
    history.life = try ratio(slot)
    if version >= 2 { history.prompt = try ratio(slot) }
    return history
  }

  private typealias SlotReading = (inout StatisticsReader) throws(Malformed) -> Int

  private mutating func samples(_ slot: SlotReading) throws(Malformed) -> TimedSamples {
    let weight = try double(0...DecayedMean.mostWeight)
    let mean = try double(0...1e9)
    let past = DecayedMean(weight: weight, mean: mean, slot: try slot(&self))
    let count = try count(upTo: TimedSamples.limit)
    let recent = try number(upTo: count)
    var samples: [TimedSamples.Sample] = []
    for _ in 0..<count {
      let at = Int32(clamping: try slot(&self))
      samples.append(TimedSamples.Sample(slot: max(at, samples.last?.slot ?? at), value: try sample()))
    }
    return TimedSamples(samples, recent: recent, past: past)
  }

  private mutating func tallied() throws(Malformed) -> UInt32 {
    UInt32(clamping: try number(upTo: 1 << 31))
  }

  private mutating func ratio(_ slot: SlotReading) throws(Malformed) -> DecayedRatio {
    let (over, under) = (try double(0...1e30), try double(0...1e30))
    return DecayedRatio(over: over, under: under, count: try double(0...1e12), slot: try slot(&self))
  }

  fileprivate mutating func route() throws(Malformed) -> RouteHistory {
    var route = RouteHistory()
    route.tokensPerByte = try double(0.01...1)
    route.deviation = try double(0...1)
    route.prompts = try double(0...1e15)
    route.outputTokens = try double(0...1e6)
    route.outputs = try double(0...1e15)
    route.continuation = try double(0...1)
    route.answers = try number(upTo: 1 << 53)
    return route
  }
}
