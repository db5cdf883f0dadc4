import Synchronization

/// A count with a bound that is never passed, shared by all loops: to reserve is a compare-and-swap.
public final class BoundedCount: Sendable {
  private let count = Atomic<Int>(0)
  private let bound: Atomic<Int>

  public init(bound: Int) { self.bound = Atomic(bound) }

  /// From now on what is reserved stays within this; what is held above it stays until it is given back.
  public func setBound(_ bound: Int) { self.bound.store(bound, ordering: .relaxed) }

  /// How much is held now, and how much may be.
  public var held: Int { count.load(ordering: .relaxed) }
  public var limit: Int { bound.load(ordering: .relaxed) }

  /// Whether there is room for `amount` right now; only `reserve` holds it.
  public func hasRoom(for amount: Int = 1) -> Bool {
    let (sum, overflow) = held.addingReportingOverflow(amount)
    return !overflow && sum <= limit
  }

  /// Takes `amount`, or nothing when that would pass the bound.
  public func reserve(_ amount: Int = 1) -> Bool {
    var current = held
    while true {
      let (sum, overflow) = current.addingReportingOverflow(amount)
      guard !overflow, sum <= limit else { return false }
      let outcome = count.weakCompareExchange(expected: current, desired: sum, ordering: .relaxed)
      if outcome.exchanged { return true }
      current = outcome.original
    }
  }

  /// Gives back what `reserve` took.
  public func release(_ amount: Int = 1) { count.subtract(amount, ordering: .relaxed) }
}
