import Metering
import Wire

/// What one attempt's answer has told of its tokens so far. Pure.
struct UsageTally {
  /// The last valid count of each kind; counts are never added up, since providers repeat them.
  private(set) var usage: TokenUsage?
  /// The bytes of the last usage object; of one that knows less than what came before, the counts written anew.
  private(set) var usageJSON: [UInt8] = []
  /// Pieces of content counted in passing: for most engines one a token.
  private(set) var observedOutput: Int64 = 0
  var firstContentAt: UInt64?
  private(set) var seen = ChoiceSet()
  private(set) var finished = ChoiceSet()
  private(set) var finishReason: FinishReason?
  var flags: UsageFlags = []

  private(set) var hasContent = false
  private var isWhole = false

  /// Takes note of one event, or of a whole answer, whose content is not counted: it is not one token.
  mutating func note(_ scan: ChunkScan, _ data: Span<UInt8>, isWhole: Bool = false) {
    meter(scan, data, isWhole: isWhole)
    seen.formUnion(scan.seen)
    if scan.hasFinishReason {
      finished.formUnion(scan.finished)
      finishReason = scan.finishReason
    }
  }

  /// Takes note of the tokens in what the client does not get to see: they were made all the same.
  mutating func meter(_ scan: ChunkScan, _ data: Span<UInt8>, isWhole: Bool = false) {
    noteUsage(scan, data)
    if scan.hasContent { hasContent = true }
    if isWhole { self.isWhole = true } else { observedOutput += Int64(scan.contentChoices) }
  }

  /// Takes note of the usage alone: that of an event behind the answer's end.
  mutating func noteUsage(_ scan: ChunkScan, _ data: Span<UInt8>) {
    guard let newest = scan.usage, let copy = scan.usageCopy(data) else {
      if scan.usageIsInvalid { flags.insert(.usageInvalid) }
      return
    }
    var whole = usage ?? newest
    whole.merge(last: newest)
    usage = whole
    usageJSON = whole == newest ? copy : whole.json
  }

  /// Whether the answer has no token at all: no content, and no count that says otherwise.
  var isEmptyCompletion: Bool {
    if hasContent || (usage?.output ?? 0) > 0 { return false }
    return finishReason != .contentFilter && finishReason != .length
  }

  /// Whether the provider's counts cannot be true of this request, or of what was seen of its answer.
  private func isBeyond(_ request: RequestScan, _ carriedBytes: Int) -> Bool {
    guard let usage else { return false }
    if let input = usage.input {
      // No token is less than a byte, but a provider may put a text of its own in front, and media count otherwise.
      if request.mediaCount == 0, input > Int64(request.bodyLength + carriedBytes) + Self.foreignPrompt {
        return true
      }
      if (usage.cachedInput ?? 0) &+ (usage.cacheWrite ?? 0) > input { return true }
    }
    if let output = usage.output {
      if let limit = request.maxOutputTokens {
        let (most, overflows) = Int64(limit).multipliedReportingOverflow(by: Int64(request.choiceCount))
        if !overflows, output > most { return true }
      }
      if output == 0, isWhole ? hasContent : observedOutput >= Self.muchContent { return true }
      if let reasoning = usage.reasoning, reasoning > output { return true }
    }
    return false
  }
  private static let foreignPrompt: Int64 = 2_000
  private static let muchContent: Int64 = 3

  /// Counts and where they come from. Unknown stays unknown; an observed count is marked as one.
  ///
  /// - Parameter carriedBytes: of an earlier part of the answer, which was part of the prompt.
  func fill(_ record: inout AttemptSettled, of request: RequestScan, carriedBytes: Int) {
    record.observedOutput = observedOutput
    record.flags = flags
    if isBeyond(request, carriedBytes) { record.flags.insert(.usageBeyondBounds) }
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
