#if canImport(Glibc)
  import Glibc
#endif

/// What was seen before the window, fading: each value weighs 2^(-age / 10 minutes), all together at most 20.
///
/// A value far off the mean is drawn in to a third or to three times of it once four are known, so that one stalled
/// request does not move it much; a lasting change still gets there in a few steps.
struct DecayedMean: Sendable, Equatable {
  /// In slots: ten minutes.
  static let halfLife = 60.0
  static let mostWeight = 20.0

  private(set) var weight = 0.0
  private(set) var mean = 0.0
  private(set) var slot = 0

  init() {}

  init(weight: Double, mean: Double, slot: Int) {
    self.weight = weight
    self.mean = mean
    self.slot = slot
  }

  /// How much it still weighs; 0 when next to nothing.
  func weight(at now: Int) -> Double {
    guard weight > 0 else { return 0 }
    let left = now > slot ? weight * exp2(-Double(now - slot) / Self.halfLife) : weight
    return left < 0.01 ? 0 : left
  }

  mutating func add(_ value: Double, at now: Int) {
    let left = weight(at: now)
    let drawn = left < 4 ? value : min(max(value, mean / 3), mean * 3)
    mean += (drawn - mean) / (left + 1)
    weight = min(left + 1, Self.mostWeight)
    slot = max(slot, now)
    if left == 0 { slot = now }
  }
}

/// Two sums and how many went into them, fading with one half-life: for a ratio of sums.
struct DecayedRatio: Sendable, Equatable {
  private(set) var over = 0.0
  private(set) var under = 0.0
  private(set) var count = 0.0
  private(set) var slot = 0

  init() {}

  init(over: Double, under: Double, count: Double, slot: Int) {
    self.over = over
    self.under = under
    self.count = count
    self.slot = slot
  }

  /// As it is at a later slot.
  func faded(to now: Int, halfLife: Double) -> DecayedRatio {
    guard now > slot, count > 0 else { return self }
    let left = exp2(-Double(now - slot) / halfLife)
    return DecayedRatio(over: over * left, under: under * left, count: count * left, slot: now)
  }

  mutating func add(over: Double, under: Double, at now: Int, halfLife: Double) {
    self = faded(to: now, halfLife: halfLife)
    self.over += over
    self.under += under
    count += 1
    if count == 1 { slot = now }
  }
}
