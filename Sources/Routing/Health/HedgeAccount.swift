import Synchronization

/// What a route may spend on second attempts that run beside the first: a share of its spend, and the same share of its
/// requests, so that neither what is cheap nor what is free doubles the load. Begins empty.
struct HedgeAccount: ~Copyable, Sendable {
  private let nanoUSD = Atomic<Int64>(0)
  /// In millionths of a hedge.
  private let millionths = Atomic<Int64>(0)
  private static let one: Int64 = 1_000_000
  /// More than this are not saved up: a fleet that suddenly crawls is not to be given twice the load for long.
  private static let most = 20 * one
  /// Beyond all spend of a router; what keeps the sum from overflowing.
  private static let mostNanoUSD = Int64.max / 4

  /// - Parameters:
  ///   - cost: of a settled attempt, in nano-USD.
  ///   - share: 0 to 1.
  func earn(_ cost: Int64, share: Double) {
    guard share > 0 else { return }
    let share = min(share, 1)
    Self.add(Int64(share * Double(Self.one)), to: millionths, most: Self.most)
    let earned = Double(min(max(cost, 0), Self.mostNanoUSD)) * share
    Self.add(Int64(earned), to: nanoUSD, most: Self.mostNanoUSD)
  }

  /// - Parameter cost: that is expected, in nano-USD; 0 of what is free.
  /// - Returns: whether there is that much, which is then taken.
  func take(_ cost: Int64) -> Bool {
    guard Self.take(Self.one, from: millionths) else { return false }
    if Self.take(max(cost, 0), from: nanoUSD) { return true }
    Self.add(Self.one, to: millionths, most: Self.most)
    return false
  }

  private static func add(_ amount: Int64, to account: borrowing Atomic<Int64>, most: Int64) {
    var held = account.load(ordering: .relaxed)
    while amount > 0, held < most {
      let sum = held + min(amount, most - held)
      let (exchanged, original) = account.weakCompareExchange(expected: held, desired: sum, ordering: .relaxed)
      if exchanged { return }
      held = original
    }
  }

  private static func take(_ amount: Int64, from account: borrowing Atomic<Int64>) -> Bool {
    var held = account.load(ordering: .relaxed)
    while held >= amount {
      let (exchanged, original) = account.weakCompareExchange(
        expected: held, desired: held - amount, ordering: .relaxed)
      if exchanged { return true }
      held = original
    }
    return false
  }
}
