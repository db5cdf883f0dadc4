import Loop
import Metering
import Wire

/// Relaying a stream, event by event (product.md's streaming rules).
extension Attempt {
  func handle(event data: Span<UInt8>, isMultiLine: Bool) {
    if ChunkScan.isDone(data) {
      sawDone = true
      return
    }
    let scan: ChunkScan
    do throws(ChunkError) {
      scan = try ChunkScan.scan(data)
    } catch {
      // llama.cpp begins the stream of several prompts with an event that says `null`.
      if Self.isNull(data) { return }
      if isComplete {
        // The answer is whole; what is lost is at most its usage.
        tally.flags.insert(.usageInvalid)
        return
      }
      // A chunk that cannot be read may hold tokens: dropping or forwarding it would both pretend.
      return fail(.badResponse, "one of its events is not valid JSON")
    }
    if sawDone {
      // What comes behind the end is no part of the answer, but its usage may be.
      tally.noteUsage(scan, data)
      if scan.usage != nil { tally.flags.insert(.usageLate) }
      return
    }
    if scan.error != nil || scan.finishReason == .error { return handle(error: scan, data) }
    tally.note(scan, data)
    if scan.hasSignature { madeSignatures = true }
    if scan.hasContent { sample?.answer.add(data) }
    if (scan.choiceCount ?? 0) == 0 { return handleWithoutChoices(data, scan, isMultiLine) }
    if scan.hasContent {
      let now = completion.relay.loop.now
      deadlines.lastProgress = now
      if tally.firstContentAt == nil {
        tally.firstContentAt = now
        deadlines.firstToken = nil
        completion.wins(self)
        if completion.carried != nil { completion.rearm() }
      }
    }
    if completion.carried != nil { return handleCarried(data, scan, isMultiLine) }
    if scan.hasContent { completion.contentBegan(self) }
    relay(data, scan, isMultiLine)
  }

  /// Sends an event on, or keeps it for a moment if it is the finish.
  func relay(_ data: Span<UInt8>, _ scan: ChunkScan, _ isMultiLine: Bool) {
    releaseFinish()
    if scan.hasFinishReason {
      finish = HeldEvent(data, scan, isMultiLine: isMultiLine)
      if isServing { completion.holdFinish(self) }
    } else {
      emit(data, scan, usage: .keep, isMultiLine: isMultiLine)
    }
  }

  /// An event that says that the provider failed. What it said is not relayed as it stands: the error goes out in the
  /// router's own words.
  private func handle(error scan: ChunkScan, _ data: Span<UInt8>) {
    tally.meter(scan, data)
    if isComplete {
      tally.flags.insert(.cutAfterFinish)
    } else if scan.error == nil {
      fail(.errorEvent, Self.errorFinish)
    } else {
      failByErrorEvent(said(data))
    }
  }
  static let errorFinish = "it ended its answer with the finish reason \"error\""

  private static func isNull(_ data: Span<UInt8>) -> Bool {
    data.count == 4 && data[0] == 0x6e && data[1] == 0x75 && data[2] == 0x6c && data[3] == 0x6c
  }

  /// An event with no choices: the usage of a client that asked for it, or something that clients who did not ask
  /// must not see, since they read `choices[0]`.
  private func handleWithoutChoices(_ data: Span<UInt8>, _ scan: ChunkScan, _ isMultiLine: Bool) {
    let hasUsage = scan.usage != nil
    if completion.request.includeUsage {
      releaseFinish()
      if hasUsage { usageChunkSent = true }
      // A usage that says less than what is known already would undo it for the client.
      let isObject = scan.usageRange.map { data[$0.lowerBound] } == UInt8(ascii: "{")
      let saysLess = isObject && tally.usage != nil && !showsWhole(scan.usage)
      emit(data, scan, usage: saysLess ? .set(usageJSON) : .keep, isMultiLine: isMultiLine)
    } else if hasUsage {
      releaseFinish()
    }
  }

  /// Lets the held finish event go, with the usage in it if it is known and the client did not ask for a chunk of its
  /// own.
  func releaseFinish() {
    guard let event = finish else { return }
    finish = nil
    deadlines.finishHeldAt = nil
    let putsUsage = !completion.request.includeUsage && tally.usage != nil && !showsWhole(event.scan.usage)
    emit(
      event.data.span, event.scan, usage: putsUsage ? .set(usageJSON) : .keep, isMultiLine: event.isMultiLine)
  }

  /// The last chunk with empty `choices`, when the client asked for usage and the provider put it elsewhere.
  func emitUsageChunkIfOwed() {
    guard completion.request.includeUsage, !usageChunkSent, tally.usage != nil else { return }
    usageChunkSent = true
    write { out in
      out.append("data: ")
      out.append(
        ChunkScan.usageOnlyChunk(completion.kind, identity: identity, usage: usageJSON, cost: costLiteral))
      out.append("\n\n")
    }
  }

  private func emit(_ data: Span<UInt8>, _ scan: ChunkScan, usage: UsageEdit, isMultiLine: Bool) {
    let showsUsage = if case .keep = usage { scan.usage != nil } else { true }
    let cost = showsUsage ? costLiteral : nil
    write { out in
      scan.writeEvent(data, identity: identity, usage: usage, cost: cost, isMultiLine: isMultiLine, to: &out)
    }
    if !isServing {
      heldEvents += 1
      if holdsTooMuch { completion.contentBegan(self) }
    }
  }

  /// To the client once content has begun, into the held bytes before.
  func write(_ body: (inout ByteBuffer) -> Void) {
    if isServing {
      completion.connection?.stream(body)
      completion.lastOutput = completion.relay.loop.now
    } else {
      body(&held)
    }
  }
}

extension ChunkScan {
  /// Writes an event with the router's ids in it.
  func writeEvent(
    _ data: Span<UInt8>, identity: ChunkIdentity, usage: UsageEdit, cost: [UInt8]?, isMultiLine: Bool,
    to out: inout ByteBuffer
  ) {
    out.append("data: ")
    rewrite(data, identity: identity, usage: usage, cost: cost, isMultiLine: isMultiLine) { out.append($0) }
    out.append("\n\n")
  }
}
