import HTTP
import Loop
import Wire

/// What the client sees of a completion while it runs, and how it leaves.
extension Completion {
  /// The stream's first content: the response starts, and from here on there is no other candidate.
  func contentBegan(_ attempt: Attempt) {
    if machine.hasDeliveredContent { return }
    machine.contentReachedClient()
    request.forgetMembers()
    deadlines.firstToken = nil
    deadlines.lastProgress = relay.loop.now
    rearm()
    guard let connection else { return }
    if !responseBegan { beginResponse(connection, attempt) }
    attempt.held.withSpan { connection.stream($0) }
    attempt.held.removeAll()
    attempt.held.release()
    if attempt.sentBody?.isSent ?? true { connection.releaseBody() }
    lastOutput = relay.loop.now
    if attempt.finish != nil { holdFinish() }
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
  }

  func holdFinish() {
    deadlines.finishHeldAt = relay.loop.now
    rearm()
  }

  func setEndGrace(_ nanoseconds: UInt64) {
    deadlines.endGrace = relay.loop.now &+ nanoseconds
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
      if deadlines.endGrace.map({ end < $0 }) ?? true { setEndGrace(grace) }
    }
    if let connection, !deadlines.isPaused, connection.notePressure(), let transfer = attempt.transfer {
      deadlines.isPaused = true
      relay.upstream.pause(transfer)
    }
  }

  func outputDrained() {
    guard deadlines.isPaused, let transfer = current?.transfer else { return }
    deadlines.isPaused = false
    if deadlines.lastProgress != nil { deadlines.lastProgress = relay.loop.now }
    rearm()
    relay.upstream.resume(transfer)
  }

  func clientLeft() {
    connection = nil
    relay.clientsLeft &+= 1
    guard let attempt = current else { return close() }
    if case .drain(let bound) = route.onClientLeave {
      deadlines.drain = relay.loop.now &+ bound.nanoseconds
      deadlines.heartbeatAt = nil
      if deadlines.isPaused, let transfer = attempt.transfer {
        deadlines.isPaused = false
        relay.upstream.resume(transfer)
      }
      return rearm()
    }
    attempt.settle(.cancelled, .clientLeft, isFinal: true)
    drop(attempt)
    close()
  }
}
