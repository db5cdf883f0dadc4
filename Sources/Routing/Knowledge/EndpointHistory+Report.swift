extension EndpointHistory {
  /// How many attempts the prior of a rate is worth: Beta(k p, k (1 - p)) with the default rate p. Rates have no other
  /// memory than the five minutes: an outage that is over does not haunt.
  static let failurePrior = 10.0
  static let interruptionPrior = 20.0
  /// How many answers the prior of the cache's yield is worth.
  static let cachePrior = 4.0
  /// How many interruptions the prior of a node's life is worth: as declared, or half an hour once one was seen.
  static let declaredLifePrior = 2.0
  static let undeclaredLifePrior = 1.0
  static let undeclaredLife = 1_800.0

  /// - Parameters:
  ///   - peers: what the same model's other endpoints, or the defaults, say of the speed.
  ///   - declaredLife: seconds.
  func estimate(firstToken peerFirst: Double, throughput peerThroughput: Double, declaredLife: Double?, slot: Int)
    -> EndpointEstimate
  {
    let counts = attempts.sum(last: Slot.short, slot: slot)
    var estimate = EndpointEstimate()
    estimate.firstToken = firstToken.estimate(peers: peerFirst, at: slot)
    estimate.throughput = generation.estimate(peers: peerThroughput, at: slot)
    estimate.failureRate =
      (Double(counts.failed) + Self.failurePrior * estimate.failureRate)
      / (Double(counts.judged) + Self.failurePrior)
    estimate.interruptionRate =
      (Double(counts.interrupted) + Self.interruptionPrior * estimate.interruptionRate)
      / (Double(counts.completed) + Double(counts.interrupted) + Self.interruptionPrior)
    let cache = cache.faded(to: slot, halfLife: Self.cacheHalfLife)
    // In tokens: less than one of them says nothing.
    if cache.under >= 1 {
      let seen = min(cache.over / cache.under, 1)
      estimate.cacheYield =
        (cache.count * seen + Self.cachePrior * estimate.cacheYield) / (cache.count + Self.cachePrior)
    }
    estimate.nodeLife = nodeLife(declared: declaredLife, slot: slot)
    // Heard of before the clock began is still heard of.
    estimate.lastHeard = UInt64(max(heardAt, 1))
    estimate.samples = counts.judged
    return estimate
  }

  /// Time under load for each interruption (a node that dies while nobody uses it costs nothing).
  private func nodeLife(declared: Double?, slot: Int) -> Double? {
    let life = life.faded(to: slot, halfLife: Self.lifeHalfLife)
    if let declared {
      return (life.over + Self.declaredLifePrior * declared) / (life.under + Self.declaredLifePrior)
    }
    guard life.under >= 0.05 else { return nil }
    return (life.over + Self.undeclaredLifePrior * Self.undeclaredLife) / (life.under + Self.undeclaredLifePrior)
  }

  /// For deadlines and hedges; `nil` while samples are few.
  func firstTokenTimes(failureRate: Double) -> FirstTokenTimes? {
    FirstTokenTimes(
      ascending: firstToken.short.count >= FirstTokenTimes.fewestSamples ? firstToken.short : firstToken.long,
      prompt: prompt.under > 0 ? prompt.over / prompt.under : nil, failureRate: failureRate)
  }

  /// What was seen, without what comparing it with others says.
  func report(slot: Int) -> EndpointReport {
    var report = EndpointReport()
    report.lastFiveMinutes = window(
      attempts.sum(last: Slot.short, slot: slot), first: firstToken.short, throughput: throughput.short)
    report.lastThirtyMinutes = window(
      attempts.sum(last: Slot.long, slot: slot), first: firstToken.long, throughput: throughput.long)
    let answers = quality.sum(last: Self.qualitySteps, slot: slot)
    report.toolErrors = Self.rate(answers.badTools, of: answers.toolAnswers)
    report.jsonErrors = Self.rate(answers.badJSON, of: answers.jsonAnswers)
    report.emptyAnswers = Self.rate(answers.empty, of: answers.answers)
    return report
  }

  private func window(_ counts: AttemptTally, first: [Float], throughput: [Float]) -> EndpointReport.Window {
    var window = EndpointReport.Window()
    window.requests = Int(counts.requests)
    window.failures = Int(counts.failed)
    window.interruptions = Int(counts.interrupted)
    window.rateLimited = Int(counts.rateLimited)
    window.firstToken = Percentiles(ascending: first, higherIsBetter: false)
    window.throughput = Percentiles(ascending: throughput, higherIsBetter: true)
    if counts.judged > 0 { window.successRate = Double(counts.completed) / Double(counts.judged) }
    return window
  }

  private static func rate(_ bad: UInt32, of count: UInt32) -> (rate: Double, of: Int)? {
    count == 0 ? nil : (rate: Double(bad) / Double(count), of: Int(count))
  }
}
