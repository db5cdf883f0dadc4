import HTTP
import Loop

/// What follows when a deadline of a completion or of one of its attempts passes.
extension Completion {
  func timerFired(now: UInt64) {
    while !isOver, let expired = deadlines.expired(now: now) { handle(expired, now) }
    while !isOver, let attempt = current, let expired = attempt.deadlines.expired(now: now) { handle(expired, attempt) }
    while !isOver, let attempt = rival, let expired = attempt.deadlines.expired(now: now) { handle(expired, attempt) }
    rearm()
  }

  private func handle(_ expired: CompletionDeadlines.Expired, _ now: UInt64) {
    switch expired {
    case .heartbeat: heartbeat(now)
    case .hedge: hedge()
    case .step:
      deadlines.step = nil
      guard var step = waiting else { return }
      waiting = nil
      step.delay = 0
      go(next(.attempt(step)))
    case .drain:
      deadlines.drain = nil
      if let current { cancel(current, .clientLeft, isFinal: true) }
      close()
    }
  }

  private func handle(_ expired: StreamDeadlines.Expired, _ attempt: Attempt) {
    switch expired {
    case .headers where attempt.head != nil:
      attempt.fail(.stalled, "its answer was not whole within the unstreamed deadline")
    case .headers: attempt.fail(.headersTimeout, "no response within the headers deadline")
    case .firstToken: attempt.fail(.firstTokenTimeout, "no first token within its deadline")
    case .gap: attempt.fail(.stalled, "it stopped in the middle of the answer")
    case .finishHold:
      attempt.deadlines.finishHeldAt = nil
      attempt.releaseFinish()
    case .endGrace:
      attempt.deadlines.endGrace = nil
      if attempt.isOver {
        drop(attempt)
        close()
      } else if attempt.isComplete {
        completeStream(attempt)
      } else {
        attempt.failByStatus()
      }
    }
  }

  /// A comment every 10 s of silence, for as long as an answer is still awaited.
  private func heartbeat(_ now: UInt64) {
    guard let connection else {
      deadlines.heartbeatAt = nil
      return
    }
    if now &- lastOutput >= CompletionDeadlines.heartbeat {
      if !responseBegan { beginResponse(connection, nil) }
      connection.stream(": POINTSMAN PROCESSING\n\n")
      lastOutput = now
    }
    deadlines.heartbeatAt = lastOutput &+ CompletionDeadlines.heartbeat
  }
}
