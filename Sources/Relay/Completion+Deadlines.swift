import HTTP
import Loop

/// The deadlines of a completion, and what follows when one passes.
extension Completion {
  func rearm() {
    if !isOver { relay.loop.arm(timer, at: deadlines.next) }
  }

  func timerFired(now: UInt64) {
    while !isOver, let expired = deadlines.expired(now: now) { handle(expired, now) }
    rearm()
  }

  func handle(_ expired: StreamDeadlines.Expired, _ now: UInt64) {
    guard let attempt = current else {
      deadlines = StreamDeadlines()
      return
    }
    switch expired {
    case .headers where attempt.head != nil:
      attempt.fail(.stalled, "its answer was not whole within the unstreamed deadline")
    case .headers: attempt.fail(.headersTimeout, "no response within the headers deadline")
    case .firstToken: attempt.fail(.firstTokenTimeout, "no first token within its deadline")
    case .gap: attempt.fail(.stalled, "it stopped in the middle of the answer")
    case .finishHold:
      deadlines.finishHeldAt = nil
      attempt.releaseFinish()
    case .endGrace:
      deadlines.endGrace = nil
      if attempt.isOver {
        drop(attempt)
        close()
      } else if attempt.isComplete {
        completeStream(attempt)
      } else {
        attempt.failByStatus()
      }
    case .heartbeat: heartbeat(now)
    case .drain:
      attempt.settle(.cancelled, .clientLeft, isFinal: true)
      drop(attempt)
      close()
    }
  }

  /// A comment every 10 s of silence, for as long as the deadlines above still run.
  func heartbeat(_ now: UInt64) {
    guard let connection else {
      deadlines.heartbeatAt = nil
      return
    }
    if now &- lastOutput >= StreamDeadlines.heartbeat {
      if !responseBegan { beginResponse(connection, nil) }
      connection.stream(": POINTSMAN PROCESSING\n\n")
      lastOutput = now
    }
    deadlines.heartbeatAt = lastOutput &+ StreamDeadlines.heartbeat
  }
}
