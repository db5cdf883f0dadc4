import Synchronization

/// How many attempts beyond the first of a completion may still be made: a fifth of the first ones, and 3 to begin with.
/// When everything fails, providers then get at most 1.2 times the load that they get anyway.
struct RetryBudget: ~Copyable, Sendable {
  /// In fifths of an attempt.
  private let fifths = Atomic<Int>(3 * 5)
  /// More than 10 are not saved up.
  private static let most = 10 * 5

  /// The first attempt of a completion.
  func earn() {
    var left = fifths.load(ordering: .relaxed)
    while left < Self.most {
      let (exchanged, original) = fifths.weakCompareExchange(expected: left, desired: left + 1, ordering: .relaxed)
      if exchanged { return }
      left = original
    }
  }

  /// - Returns: whether there was one left, which is then taken.
  func take() -> Bool {
    var left = fifths.load(ordering: .relaxed)
    while left >= 5 {
      let (exchanged, original) = fifths.weakCompareExchange(expected: left, desired: left - 5, ordering: .relaxed)
      if exchanged { return true }
      left = original
    }
    return false
  }
}
