/// The newest 512 values of one kind from one endpoint in a rolling window of 30 minutes, and of the last 5 among them:
/// kept sorted, so that a percentile is a look at one place. What leaves the 5 minutes goes on in `past`.
///
/// An endpoint with more than 512 answers in a window has percentiles of the newest 512.
struct TimedSamples: Sendable {
  struct Sample: Sendable, Equatable {
    var slot: Int32
    var value: Float
  }

  static let limit = 512
  /// How many samples the prior is worth.
  static let priorWeight = 5.0

  /// Oldest first, from `head` on; what is before it is gone, and cleared away once it is as much as may be there.
  private var stored: [Sample] = []
  private var head = 0
  /// How many of the newest are in the short window.
  private(set) var recent = 0
  /// Ascending.
  private(set) var short: [Float] = []
  private(set) var long: [Float] = []
  private(set) var past = DecayedMean()

  init() {}

  /// - Parameters:
  ///   - samples: oldest first, at most 512; each finite and above 0.
  ///   - recent: how many of the newest are not in `past` yet.
  init(_ samples: [Sample], recent: Int, past: DecayedMean) {
    stored = samples
    self.recent = recent
    self.past = past
    long = samples.map(\.value).sorted()
    short = samples.suffix(recent).map(\.value).sorted()
  }

  var samples: ArraySlice<Sample> { stored[head...] }

  /// - Parameter value: finite and above 0.
  mutating func add(_ value: Float, slot: Int) {
    // Loops hand over in turns: within a slot or two the order does not matter, only that there is one.
    let newest = samples.last?.slot ?? Int32.min
    if samples.count == Self.limit { dropOldest() }
    stored.append(Sample(slot: max(Int32(clamping: slot), newest), value: value))
    recent += 1
    short.insert(value, at: short.firstPlace(notBelow: value))
    long.insert(value, at: long.firstPlace(notBelow: value))
  }

  /// Moves the windows on.
  mutating func age(slot: Int) {
    // After a pause nearly all leave at once: then the rest is sorted anew.
    if recent > 32, Int(stored[stored.count - recent / 2].slot) <= slot - Slot.short {
      while recent > 0, Int(stored[stored.count - recent].slot) <= slot - Slot.short { forgetOldestRecent() }
      short = samples.suffix(recent).map(\.value).sorted()
    }
    while recent > 0, Int(stored[stored.count - recent].slot) <= slot - Slot.short { leaveShort() }
    while let oldest = samples.first, Int(oldest.slot) <= slot - Slot.long { dropOldest() }
  }

  private mutating func leaveShort() {
    short.remove(at: short.firstPlace(notBelow: stored[stored.count - recent].value))
    forgetOldestRecent()
  }

  private mutating func forgetOldestRecent() {
    let sample = stored[stored.count - recent]
    recent -= 1
    past.add(Double(sample.value), at: Int(sample.slot))
  }

  private mutating func dropOldest() {
    if recent == samples.count { leaveShort() }
    long.remove(at: long.firstPlace(notBelow: stored[head].value))
    head += 1
    if head == Self.limit || head == stored.count {
      stored.removeFirst(head)
      head = 0
    }
  }
}

extension TimedSamples {
  /// What was seen of it, without any prior: the median of the short window and what is left of `past`, by their
  /// weights; `nil` when they weigh less than one sample.
  func evidence(at slot: Int) -> Double? {
    let (n, w) = (Double(short.count), past.weight(at: slot))
    guard n + w >= 1 else { return nil }
    return (n * (short.median ?? 0) + w * past.mean) / (n + w)
  }

  /// The value to choose by. With n samples of median m in the short window, w and p the weight and the mean of `past`,
  /// and k = 5: `prior = (w * p + k * peers) / (w + k)`, `estimate = (n * m + k * prior) / (n + k)`.
  func estimate(peers: Double, at slot: Int) -> Double {
    let (n, w, k) = (Double(short.count), past.weight(at: slot), Self.priorWeight)
    let prior = (w * past.mean + k * peers) / (w + k)
    return (n * (short.median ?? 0) + k * prior) / (n + k)
  }
}
