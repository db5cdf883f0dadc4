import HTTP
import Loop
import Wire

/// What the client sees of a completion while it runs, and how it leaves.
extension Completion {
  /// The attempt's first content: the response starts, or goes on where it was cut; from here on there is no other
  /// candidate.
  func contentBegan(_ attempt: Attempt) {
    if attempt.isServing { return }
    attempt.isServing = true
    wins(attempt)
    if attempt.isProbe { vouch(for: attempt) }
    attempt.deadlines.firstToken = nil
    attempt.deadlines.lastProgress = relay.loop.now
    rearm()
    guard let connection else { return }
    if machine.hasDeliveredContent {
      markSeam(attempt, on: connection)
    } else {
      if !responseBegan { beginResponse(connection, attempt) }
      if carried == nil {
        request.forgetMembers()
        if attempt.sentBody?.isSent ?? true { connection.releaseBody() }
      }
    }
    attempt.held.withSpan { connection.stream($0) }
    machine.contentReachedClient(from: attempt.place)
    attempt.held.removeAll()
    attempt.held.release()
    lastOutput = relay.loop.now
    if attempt.finish != nil { holdFinish(attempt) }
  }

  func beginResponse(_ connection: Connection, _ attempt: Attempt?) {
    responseBegan = true
    relay.streamsOpened &+= 1
    connection.beginStream(status: 200, contentType: "text/event-stream; charset=utf-8") { out in
      out.append("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n")
      appendIdentity(to: &out, attempt)
    }
  }

  /// `x-request-id`, `X-Generation-Id` and, when it is known, who served.
  func appendIdentity(to out: inout ByteBuffer, _ attempt: Attempt?) {
    id.appendFields(to: &out)
    guard let attempt else { return }
    out.append(targets.servedFields(of: attempt.place))
    out.append("X-Pointsman-Attempts: ")
    out.append(decimal: Int(attemptNumber))
    out.append("\r\n")
    if !attempt.left.isNothing {
      out.append("X-Pointsman-Left-Out: ")
      out.append(attempt.left.text)
      out.append("\r\n")
    }
    if carried != nil { out.append("X-Pointsman-Resume: on\r\n") }
  }

  func holdFinish(_ attempt: Attempt) {
    attempt.deadlines.finishHeldAt = relay.loop.now
    rearm()
  }

  func setEndGrace(_ attempt: Attempt, _ nanoseconds: UInt64) {
    attempt.deadlines.endGrace = relay.loop.now &+ nanoseconds
    rearm()
  }

  /// After a piece of the stream: its end may have been seen, or the client may be reading too slowly.
  func afterStreamBytes(_ attempt: Attempt) {
    if attempt.sawDone, !attempt.isComplete {
      return attempt.fail(.truncated, "the stream said [DONE] before the answer was finished")
    }
    if attempt.isComplete {
      // The body's own end is usually in the same read. If it is not, what is known goes out at once; a usage that has
      // not come yet gets a moment, and so does a missing `[DONE]`.
      let grace: UInt64 = !attempt.sawDone ? 2_000_000_000 : attempt.tally.usage == nil ? 250_000_000 : 1_000_000
      let end = relay.loop.now &+ grace
      if attempt.deadlines.endGrace.map({ end < $0 }) ?? true { setEndGrace(attempt, grace) }
    }
    if let connection, attempt.isServing, !attempt.deadlines.isPaused, connection.notePressure(),
      let transfer = attempt.transfer
    {
      attempt.deadlines.isPaused = true
      relay.upstream.pause(transfer)
    }
  }

  func outputDrained() {
    if let current { readOn(current) }
  }

  private func readOn(_ attempt: Attempt) {
    guard attempt.deadlines.isPaused, let transfer = attempt.transfer else { return }
    attempt.deadlines.isPaused = false
    if attempt.deadlines.lastProgress != nil { attempt.deadlines.lastProgress = relay.loop.now }
    rearm()
    relay.upstream.resume(transfer)
  }

  func clientLeft() {
    let left = connection
    connection = nil
    relay.clientsLeft &+= 1
    waiting = nil
    if let rival { cancel(rival, .clientLeft, isFinal: false) }
    guard let attempt = current else { return close() }
    if case .drain(let bound) = route.onClientLeave {
      // It goes on, so it goes on counting as one of those that run.
      left?.keepsTicket = true
      departed = left
      deadlines = CompletionDeadlines()
      deadlines.drain = relay.loop.now &+ bound.nanoseconds
      readOn(attempt)
      return rearm()
    }
    cancel(attempt, .clientLeft, isFinal: true)
    close()
  }
}
