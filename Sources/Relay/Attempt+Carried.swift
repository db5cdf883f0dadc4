import Loop
import Wire

/// Relaying a stream that may have to be carried on elsewhere: what goes to the client is remembered, tool calls wait
/// until they are whole, and the answer of one that carries on is joined to what was delivered.
extension Attempt {
  /// More of tool calls than this is not held back: what has gone out then cannot be carried on.
  private static let toolCallLimit = 256 << 10

  func handleCarried(_ data: Span<UInt8>, _ scan: ChunkScan, _ isMultiLine: Bool) {
    let mayHold = completion.carried?.isClosed == false && toolCalls.count < Self.toolCallLimit
    if scan.hasToolCalls, !scan.hasFinishReason, mayHold {
      scan.writeEvent(data, identity: identity, usage: .keep, cost: nil, isMultiLine: isMultiLine, to: &toolCalls)
      return
    }
    if scan.hasContent || scan.hasFinishReason {
      if !scan.hasText { letSeamGo() }
      releaseToolCalls()
    }
    guard seam != nil, scan.hasText else { return deliver(data, scan, isMultiLine) }
    switch seam?.take(scan.unescapedText(data), isLast: scan.hasFinishReason) {
    case .forward, nil: deliver(data, scan, isMultiLine)
    case .drop where !scan.hasFinishReason: break
    case .drop: deliver(scan.replacingText(data, by: []), isMultiLine)
    case .replace(let text): deliver(scan.replacingText(data, by: text), isMultiLine)
    }
    if seam?.isDone == true { seam = nil }
  }

  private func deliver(_ data: [UInt8], _ isMultiLine: Bool) {
    guard let scan = try? ChunkScan.scan(data.span) else { return }
    deliver(data.span, scan, isMultiLine)
  }

  private func deliver(_ data: Span<UInt8>, _ scan: ChunkScan, _ isMultiLine: Bool) {
    let carriesOn = completion.machine.hasDeliveredContent
    if scan.hasContent || carriesOn && scan.hasFinishReason && tally.firstContentAt != nil {
      completion.contentBegan(self)
      completion.carried?.delivered.add(data, scan)
    } else if carriesOn, !isServing, !scan.hasFinishReason {
      // The client has seen how an answer begins.
      return
    }
    relay(data, scan, isMultiLine)
  }

  /// Text that the seam kept for being undecided belongs to the client, now that other things follow.
  private func letSeamGo() {
    guard let text = seam?.finish() else { return }
    seam = nil
    if !text.isEmpty {
      deliver(ChunkScan.contentChunk(completion.kind, identity: identity, text: text), false)
    }
  }

  /// The tool calls are whole: nothing can be carried on behind them.
  private func releaseToolCalls() {
    if toolCalls.isEmpty { return }
    completion.carried?.close()
    completion.contentBegan(self)
    write { out in toolCalls.withSpan { out.append($0) } }
    toolCalls.removeAll()
    toolCalls.release()
  }

  /// The last usage object that the client gets.
  var usageJSON: [UInt8] {
    guard let carried = completion.carried, !carried.segments.isEmpty else { return tally.usageJSON }
    return carried.usage(of: self)
  }

  /// Whether an event's own usage says all that is known.
  func showsWhole(_ usage: TokenUsage?) -> Bool {
    usage == tally.usage && (completion.carried?.segments.isEmpty ?? true)
  }
}
