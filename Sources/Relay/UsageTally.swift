import Metering
import Wire

/// What one attempt's answer has told of its tokens so far. Pure.
struct UsageTally {
  /// The last valid usage; counts are never added up, since providers repeat them.
  private(set) var usage: TokenUsage?
  /// The bytes of that usage object.
  private(set) var usageJSON: [UInt8] = []
  /// Pieces of content counted in passing: for most engines one a token.
  private(set) var observedOutput: Int64 = 0
  var firstContentAt: UInt64?
  private(set) var seen = ChoiceSet()
  private(set) var finished = ChoiceSet()
  private(set) var finishReason: FinishReason?
  var flags: UsageFlags = []

  private(set) var hasContent = false

  /// Takes note of one event, or of a whole answer, whose content is not counted: it is not one token.
  mutating func note(_ scan: ChunkScan, _ data: Span<UInt8>, isWhole: Bool = false) {
    if let newest = scan.usage, let range = scan.usageRange {
      usage = newest
      usageJSON.removeAll(keepingCapacity: true)
      for index in range { usageJSON.append(data[index]) }
    } else if scan.usageIsInvalid {
      flags.insert(.usageInvalid)
    }
    if scan.hasContent { hasContent = true }
    if !isWhole { observedOutput += Int64(scan.contentChoices) }
    seen.formUnion(scan.seen)
    if scan.hasFinishReason {
      finished.formUnion(scan.finished)
      finishReason = scan.finishReason
    }
  }

  /// Whether the answer has no token at all: no content, and no count that says otherwise.
  var isEmptyCompletion: Bool {
    if hasContent || (usage?.output ?? 0) > 0 { return false }
    return finishReason != .contentFilter && finishReason != .length
  }

  /// Counts and where they come from. Unknown stays unknown; an observed count is marked as one.
  func fill(_ record: inout AttemptSettled) {
    record.observedOutput = observedOutput
    record.flags = flags
    if let usage {
      record.usage = usage
      if usage.input != nil { record.inputSource = .provider }
      if usage.output != nil { record.outputSource = .provider }
    } else if !flags.contains(.usageInvalid) {
      record.flags.insert(.usageMissing)
    }
    if record.usage.output == nil, observedOutput > 0 {
      record.usage.output = observedOutput
      record.outputSource = .observed
    }
  }
}
