/// Time in steps of 10 seconds: what is counted ages by whole slots, so that nothing need be looked at again in between.
/// A window of n slots is the running slot and the n - 1 before it. Negative before this process's clock began (a state
/// from an earlier run).
enum Slot {
  static let nanoseconds: UInt64 = 10_000_000_000
  /// Five minutes: what is chosen by.
  static let short = 30
  /// Thirty minutes: what is shown.
  static let long = 180

  static func at(_ now: UInt64) -> Int { Int(min(now, UInt64(Int64.max)) / nanoseconds) }
}
