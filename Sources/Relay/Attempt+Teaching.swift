import Metering
import Routing

/// What an attempt teaches about its endpoint, once it is settled.
extension Attempt {
  /// For the choices to come: how fast, how sound, and what is in the endpoint's cache now.
  func teach(_ record: AttemptSettled, _ now: UInt64) {
    isCounted = false
    let completion = completion
    let result = result(of: record)
    let question = completion.asked.question
    let endpoint = completion.table.endpoints[place]
    let held = question.held.first { $0.endpoint == endpoint.key }
    var observation = AttemptObservation(
      endpoint: endpoint.key, route: completion.route.name, at: now, result: result, duration: record.duration)
    observation.firstToken = completion.isStream ? record.timeToFirstToken : nil
    // Counts that cannot be teach nothing: they would move what others are told to expect.
    let isCounted = record.outputSource == .provider || record.inputSource == .provider
    if isCounted, !record.flags.contains(.usageBeyondBounds) { observation.usage = record.usage }
    observation.promptBytes = Question.countedBytes(completion.request)
    observation.isContinuation = question.held.contains { $0.isHolder }
    observation.expectedCached = held.map { min($0.tokens, question.promptTokens) } ?? 0
    if record.failure == .emptyCompletion {
      observation.quality = QualityVerdict()
      observation.quality?.isEmpty = true
    } else if result == .completed, var sample {
      sample.isComplete = tally.finishReason != .length && tally.finishReason != .contentFilter
      observation.sample = sample
    }
    sample = nil
    completion.relay.observe(observation)
    remember(observation, madeContent: record.timeToFirstToken != nil, now)
  }

  private func result(of record: AttemptSettled) -> AttemptObservation.Result {
    switch record.outcome {
    case .completed: .completed
    case .cancelled: .unjudged
    case .interrupted: record.failure == .routerStopped ? .unjudged : .interrupted
    case .failed:
      switch record.failure {
      case .rateLimited: .rateLimited
      // The request was at fault, or a kept connection was.
      case .badRequest, .staleConnection: .unjudged
      default: .failed
      }
    }
  }

  /// The conversation's prompt is in this endpoint's cache now; or, after a failure, nothing is to be expected of it.
  private func remember(
    _ observation: AttemptObservation, madeContent: Bool, _ now: UInt64
  ) {
    let (result, usage) = (observation.result, observation.usage)
    guard let key = completion.asked.conversation, let hash = completion.request.conversation else { return }
    guard result != .rateLimited, result != .unjudged || madeContent else { return }
    let table = completion.table
    let snapshot = completion.relay.snapshot
    let place = completion.asked.question.route
    let known =
      snapshot.table === table ? snapshot.knowledge.routes[place].tokensPerByte : RouteEstimate().tokensPerByte
    let shared = Double(hash.sharedPrefixBytes) * known
    completion.relay.snapshot.conversations.settle(
      key, endpoint: table.endpoints[self.place].key,
      promptTokens: usage.input ?? completion.asked.question.promptTokens,
      outputTokens: usage.output ?? 0, cachedTokens: usage.cachedInput, expectedCached: observation.expectedCached,
      sharedTokens: Int64(exactly: shared.rounded()) ?? 0,
      cacheLife: table.endpoints[self.place].traits.cacheLife.nanoseconds, madeSignatures: madeSignatures,
      succeeded: result == .completed || result == .unjudged, now: now)
  }
}
