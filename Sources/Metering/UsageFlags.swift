/// What was odd about an attempt's counts. The bits are journal format: add at the end only.
public struct UsageFlags: OptionSet, Sendable, Hashable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// The provider sent a usage that could not be read.
  public static let usageInvalid = UsageFlags(rawValue: 1 << 0)
  /// The provider sent no usage.
  public static let usageMissing = UsageFlags(rawValue: 1 << 1)
  /// The stream was cut after its finish event.
  public static let cutAfterFinish = UsageFlags(rawValue: 1 << 2)
  /// The usage came after the client's stream had ended.
  public static let usageLate = UsageFlags(rawValue: 1 << 3)
  /// A count cannot be true of this request and what was seen of its answer; one that no answer at all can have, or such
  /// a cost, is kept as unknown.
  public static let usageBeyondBounds = UsageFlags(rawValue: 1 << 4)
  /// Written by the ledger: the open record was lost, so names are missing.
  public static let openMissing = UsageFlags(rawValue: 1 << 5)

  private static let words: [(UsageFlags, String)] = [
    (.usageInvalid, "usage_invalid"),
    (.usageMissing, "usage_missing"),
    (.cutAfterFinish, "cut_after_finish"),
    (.usageLate, "usage_late"),
    (.usageBeyondBounds, "usage_beyond_bounds"),
    (.openMissing, "open_missing"),
  ]

  /// The words of the flags that are set, in a fixed order.
  public var names: [String] { Self.words.filter { contains($0.0) }.map(\.1) }
}
