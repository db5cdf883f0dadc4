import Metering
import Routing

/// A second attempt when the first token is late. The first of the two that has content serves; the other is cancelled,
/// and both are in the ledger.
extension Completion {
  /// Sets the time at which the first attempt is late; one that came after it is not to be judged by that.
  func awaitHedge(_ attempt: Attempt) {
    deadlines.hedge = nil
    guard isStream, let hedge = route.hedge, attempt.step.reason == .first, !machine.hasDeliveredContent else { return }
    let snapshot = relay.snapshot
    let late: UInt64?
    switch hedge.after {
    case .fixed(let duration): late = duration.nanoseconds
    case .quantile(let quantile):
      // Too little is known of it, or of another table: what is usual cannot be told.
      late = snapshot.table === table ? snapshot.knowledge.firstTokenQuantile(attempt.place, quantile) : nil
    }
    guard let late else { return }
    deadlines.hedge = attempt.startedAt &+ late
    rearm()
  }

  func hedge() {
    deadlines.hedge = nil
    let now = relay.loop.now
    guard connection != nil, rival == nil, let attempt = current, !attempt.isOver, attempt.tally.firstContentAt == nil,
      let place = machine.hedgePlace(beside: attempt.place), health.isInGoodStanding(endpoint: place, now: now),
      targets.hasAddress(table.endpoints[place].provider),
      health.takeHedge(route: asked.question.route, expectedNanoUSD: expectedWaste(at: place)),
      let step = machine.hedge(beside: attempt.place), case .success(let taken) = take(step),
      case .attempt(let ready) = open(taken)
    else { return }
    rival = ready.attempt
    start(ready)
  }

  /// Nano-USD that the loser will have cost: most often its prompt and little more.
  private func expectedWaste(at place: Int) -> Int64 {
    guard let price = price(at: place) else { return 0 }
    let (pico, overflows) = price.input.multipliedReportingOverflow(by: asked.question.promptTokens)
    return overflows ? .max : pico / 1000
  }

  /// An attempt has content: whoever runs beside it has lost.
  func wins(_ attempt: Attempt) {
    deadlines.hedge = nil
    guard let rival, let current else { return }
    let loser = attempt === rival ? current : rival
    cancel(loser, .hedgeLost, isFinal: false)
    self.current = attempt
    self.rival = nil
  }
}
