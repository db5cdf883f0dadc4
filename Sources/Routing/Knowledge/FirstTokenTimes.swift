/// How long an endpoint takes to its first token, worked out once for deadlines and hedges; nanoseconds.
struct FirstTokenTimes: Sendable, Equatable {
  static let fewestSamples = 20
  /// The quantiles that there are, and their places in `times`.
  private static let percents = [50, 75, 90, 95, 99]
  /// An endpoint of which more fails than this is given all of the time that the admin grants: what was cut off as too late
  /// leaves no sample, so that one that became slower would never show it.
  private static let mostFailures = 0.15
  /// The deadline is no shorter.
  private static let shortest: UInt64 = 2_000_000_000
  private static let slack = 4.0

  private let times: [UInt64]
  /// Tokens, on average.
  private let prompt: Double?
  private let isFailing: Bool

  /// - Parameters:
  ///   - seconds: ascending.
  ///   - prompt: tokens of the prompts that they are of, on average.
  ///   - failureRate: as it is estimated.
  /// - Returns: `nil` for fewer than 20 samples.
  init?(ascending seconds: [Float], prompt: Double?, failureRate: Double) {
    guard seconds.count >= Self.fewestSamples else { return nil }
    times = Self.percents.map { percent in
      let value = Double(seconds[(seconds.count * percent + 99) / 100 - 1])
      return UInt64(min(max(value, 0), 1e9) * 1e9)
    }
    self.prompt = prompt
    isFailing = failureRate > Self.mostFailures
  }

  /// The least of the known quantiles (0.5, 0.75, 0.9, 0.95, 0.99) that is not below this one.
  func quantile(_ quantile: Double) -> UInt64 {
    // A thousandth of a percent of slack: 0.95 is no exact number.
    let place = Self.percents.firstIndex { Double($0) >= quantile * 100 - 1e-3 } ?? times.count - 1
    return times[place]
  }

  /// `min(configured, max(2 s, 4 * p99 * max(1, promptTokens / mean prompt)))`
  func deadline(promptTokens: Int64, configured: UInt64) -> UInt64 {
    guard !isFailing, let prompt, let p99 = times.last else { return configured }
    let scale = max(Double(promptTokens) / max(prompt, 1), 1)
    let wanted = Self.slack * Double(p99) * scale
    guard wanted < Double(configured) else { return configured }
    return min(max(UInt64(wanted), Self.shortest), configured)
  }
}

extension Knowledge {
  /// How long a request with so many prompt tokens waits at this endpoint for its first token: as configured, or less when
  /// the endpoint is known to be faster: four times the 99th percentile of its own times, more for a prompt that is longer
  /// than its usual ones, and at least 2 s. With fewer than 20 samples: as configured.
  ///
  /// - Parameters:
  ///   - place: in `RouteTable.endpoints`.
  ///   - configured: nanoseconds.
  public func firstTokenDeadline(_ place: Int, promptTokens: Int64, configured: UInt64) -> UInt64 {
    guard firstTokens.indices.contains(place), let times = firstTokens[place] else { return configured }
    return times.deadline(promptTokens: promptTokens, configured: configured)
  }

  /// Nanoseconds to the first token that this share of the endpoint's answers did not exceed, of the last five minutes, or
  /// of the last thirty when those were few; `nil` with fewer than 20 samples.
  ///
  /// - Parameter quantile: 0.5, 0.75, 0.9, 0.95 or 0.99; another is taken as the next of these above it.
  public func firstTokenQuantile(_ place: Int, _ quantile: Double) -> UInt64? {
    guard firstTokens.indices.contains(place) else { return nil }
    return firstTokens[place]?.quantile(quantile)
  }
}
