/// All that is kept of one route.
struct RouteHistory: Sendable, Equatable {
  /// How many answers the defaults are worth, and how many the spread's default is.
  static let priorWeight = 5.0
  static let spreadPriorWeight = 10.0
  /// Means move by at least 1/200 with each answer, so that they follow the traffic.
  static let mostWeight = 200.0

  /// Mean of prompt tokens per byte, and of how far (relative to what was expected) the truth was from it.
  var tokensPerByte = RouteEstimate().tokensPerByte
  var deviation = 0.0
  var prompts = 0.0
  var outputTokens = RouteEstimate().outputTokens
  var outputs = 0.0
  var continuation = RouteEstimate().continuation
  /// How many answers there were.
  var answers = 0
  /// The slot since when it is in no table.
  var goneSince: Int?

  mutating func add(_ seen: AttemptObservation) {
    guard seen.result == .completed else { return }
    continuation += ((seen.isContinuation ? 1 : 0) - continuation) / Self.divisor(Double(answers))
    answers += 1
    if let input = seen.usage.input, input > 0, seen.promptBytes > 0 {
      // Neither more than a token for each byte nor fewer than one for a hundred is text.
      let ratio = min(max(Double(input) / Double(seen.promptBytes), 0.01), 1)
      let error = min(abs(ratio - tokensPerByte) / tokensPerByte, 1)
      deviation += (error - deviation) / min(prompts + 1, Self.mostWeight)
      // An odd prompt moves the mean only so far.
      let drawn = prompts < 8 ? ratio : min(max(ratio, tokensPerByte / 2), tokensPerByte * 2)
      tokensPerByte += (drawn - tokensPerByte) / Self.divisor(prompts)
      prompts += 1
    }
    if let output = seen.usage.output, output >= 0 {
      outputTokens += (min(Double(output), 1e6) - outputTokens) / Self.divisor(outputs)
      outputs += 1
    }
  }

  var estimate: RouteEstimate {
    var estimate = RouteEstimate()
    estimate.tokensPerByte = tokensPerByte
    // Twice the mean deviation: about nine of ten prompts are within.
    let n = min(prompts, Self.mostWeight)
    let seen = min(max(2 * deviation, 0.02), 1)
    estimate.spread = (n * seen + Self.spreadPriorWeight * estimate.spread) / (n + Self.spreadPriorWeight)
    estimate.outputTokens = outputTokens
    estimate.continuation = min(max(continuation, 0), 1)
    estimate.samples = answers
    return estimate
  }

  /// By which a new value's difference is divided: the mean begins as `priorWeight` times the default.
  private static func divisor(_ count: Double) -> Double {
    min(count + 1, mostWeight) + priorWeight
  }
}
