import Metering
import Wire

/// What has to be known of an answer to carry it on elsewhere when it is cut: the text that the client has got, and what
/// its parts consumed. Belongs to one loop.
final class CarriedAnswer {
  /// One part of the answer that was cut off.
  struct Segment {
    /// The provider's name as a JSON string.
    let provider: [UInt8]
    let record: AttemptSettled
  }

  var delivered = DeliveredText()
  private(set) var segments: [Segment] = []
  /// What is delivered is more than text, so nothing can go on behind it.
  private(set) var isClosed = false

  /// Whether another endpoint could go on behind what was delivered.
  var canGoOn: Bool { !isClosed && delivered.isResumable && !delivered.text.isEmpty }

  /// What is delivered from now on is more than text.
  func close() { isClosed = true }

  /// How long the parts are that were cut off: the last one's prompt has them in it.
  private(set) var bytesBefore = 0

  /// An attempt whose content was delivered broke off.
  func cut(_ attempt: Attempt) {
    bytesBefore = delivered.text.count
    segments.append(Segment(provider: attempt.identity.provider, record: attempt.metered(.interrupted)))
  }

  /// Nano-USD of the parts that were cut off; `nil` when that of one is not known.
  var costBefore: Int64? {
    var sum: Int64 = 0
    for segment in segments {
      guard let cost = segment.record.cost else { return nil }
      let (next, overflows) = sum.addingReportingOverflow(cost)
      if overflows { return nil }
      sum = next
    }
    return sum
  }

  /// The usage of the whole answer: the output of all of its parts, the last one's prompt, and behind them, as `segments`,
  /// what each part consumed and how that is known.
  func usage(of last: Attempt) -> [UInt8] {
    var whole = last.tally.usage ?? TokenUsage()
    for segment in segments {
      guard let known = whole.output, let output = segment.record.usage.output else {
        whole.output = nil
        break
      }
      let (sum, overflows) = known.addingReportingOverflow(output)
      whole.output = overflows ? nil : sum
    }
    var out = whole.json
    out.removeLast()
    out += Array(out.last == UInt8(ascii: "{") ? #""segments":["#.utf8 : #","segments":["#.utf8)
    for segment in segments + [Segment(provider: last.identity.provider, record: last.metered(.completed))] {
      if out.last == UInt8(ascii: "}") { out.append(UInt8(ascii: ",")) }
      let (usage, source) = (segment.record.usage, segment.record.outputSource)
      out += Array(#"{"provider":"#.utf8) + segment.provider
      out += Array(#","prompt_tokens":\#(usage.input.map { String($0) } ?? "null")"#.utf8)
      out += Array(#","completion_tokens":\#(usage.output.map { String($0) } ?? "null")"#.utf8)
      out += Array(#","source":"\#(source.name)"}"#.utf8)
    }
    out += Array("]}".utf8)
    return out
  }
}
