import Dispatch
import Synchronization
import Testing

@testable import Routing

@Suite struct BreakerTests {
  static let second: UInt64 = 1_000_000_000
  private static let now = 1_000 * second

  /// A breaker in each state, at `now`.
  private enum Begin: CaseIterable {
    case closed, doubted, open, due, probing

    var breaker: Breaker {
      var breaker = Breaker()
      let now = BreakerTests.now
      switch self {
      case .closed: break
      case .doubted: _ = breaker.fail(isVouchedFor: true, wasProbe: false, .outage, now)
      case .open: _ = breaker.fail(isVouchedFor: false, wasProbe: false, .outage, now)
      case .due: _ = breaker.fail(isVouchedFor: false, wasProbe: false, .outage, now - 2 * BreakerTests.second)
      case .probing:
        _ = breaker.fail(isVouchedFor: false, wasProbe: false, .outage, now - 2 * BreakerTests.second)
        #expect(breaker.takeProbe(.outage, now) == .taken)
      }
      return breaker
    }
  }

  private enum Event: CaseIterable {
    case asked, succeeded, failed, failedVouchedFor, probeFailed, released

    func happen(to breaker: inout Breaker) -> String {
      let now = BreakerTests.now
      switch self {
      case .asked: return "\(breaker.takeProbe(.outage, now))"
      case .succeeded: breaker.succeed()
      case .failed: return "\(breaker.fail(isVouchedFor: false, wasProbe: false, .outage, now))"
      case .failedVouchedFor: return "\(breaker.fail(isVouchedFor: true, wasProbe: false, .outage, now))"
      case .probeFailed: return "\(breaker.fail(isVouchedFor: true, wasProbe: true, .outage, now))"
      case .released: breaker.releaseProbe()
      }
      return ""
    }
  }

  @Test func `every event in every state`() {
    let open2 = Breaker.State.open(left: 2 * Self.second)
    let open4 = Breaker.State.open(left: 4 * Self.second)
    let probing = Breaker.State.probing(left: 60 * Self.second)
    let opened = "opened(pause: 2000000000)"
    let reopened = "reopened(pause: 4000000000)"
    let table: [(Begin, Event, Breaker.State, String)] = [
      (.closed, .asked, .closed, "notNeeded"),
      (.closed, .succeeded, .closed, ""),
      (.closed, .failed, open2, opened),
      (.closed, .failedVouchedFor, .doubted, "none"),
      (.closed, .probeFailed, .doubted, "none"),
      (.closed, .released, .closed, ""),
      (.doubted, .asked, .doubted, "notNeeded"),
      (.doubted, .succeeded, .closed, ""),
      (.doubted, .failed, open2, opened),
      (.doubted, .failedVouchedFor, open2, opened),
      (.doubted, .probeFailed, open2, opened),
      (.doubted, .released, .doubted, ""),
      (.open, .asked, open2, "refused"),
      (.open, .succeeded, .closed, ""),
      // What was under way when it opened is of the same outage, and so is a probe whose lease has ended.
      (.open, .failed, open2, "none"),
      (.open, .failedVouchedFor, open2, "none"),
      (.open, .probeFailed, open2, "none"),
      (.open, .released, open2, ""),
      (.due, .asked, probing, "taken"),
      (.due, .succeeded, .closed, ""),
      // Sent without asking, since there was nobody else.
      (.due, .failed, open4, reopened),
      (.due, .failedVouchedFor, open4, reopened),
      (.due, .probeFailed, open4, reopened),
      (.due, .released, .due, ""),
      (.probing, .asked, probing, "refused"),
      (.probing, .succeeded, .closed, ""),
      (.probing, .failed, probing, "none"),
      (.probing, .failedVouchedFor, probing, "none"),
      (.probing, .probeFailed, open4, reopened),
      (.probing, .released, .due, ""),
    ]
    #expect(table.count == Begin.allCases.count * Event.allCases.count)
    for (begin, event, state, result) in table {
      var breaker = begin.breaker
      #expect(event.happen(to: &breaker) == result, "\(begin), \(event)")
      #expect(breaker.state(Self.now) == state, "\(begin), \(event)")
      let isOut = state != .closed && state != .doubted && state != .due
      #expect(breaker.isOut(Self.now) == isOut, "\(begin), \(event)")
      #expect(breaker.isSpotless == (state == .closed), "\(begin), \(event)")
    }
  }

  @Test func `pauses double up to 20 s, those of keys from 5 minutes up to an hour`() {
    for (pauses, seconds) in [
      (Breaker.Pauses.outage, [2, 4, 8, 16, 20, 20, 20, 20] as [UInt64]),
      (.key, [300, 600, 1_200, 2_400, 3_600, 3_600]),
    ] {
      var breaker = Breaker()
      var now = Self.now
      for (place, pause) in seconds.enumerated() {
        let nanoseconds = pause * Self.second
        let fall = breaker.fail(isVouchedFor: false, wasProbe: true, pauses, now)
        #expect(fall == (place == 0 ? .opened(pause: nanoseconds) : .reopened(pause: nanoseconds)))
        #expect(breaker.isOut(now + nanoseconds - 1))
        #expect(breaker.takeProbe(pauses, now + nanoseconds - 1) == .refused)
        now += nanoseconds
        #expect(!breaker.isOut(now))
        #expect(breaker.takeProbe(pauses, now) == .taken)
        #expect(breaker.takeProbe(pauses, now) == .refused)
      }
    }
  }

  @Test func `a probe that nobody speaks of lets go after its lease`() {
    var breaker = Begin.probing.breaker
    #expect(breaker.takeProbe(.outage, Self.now + 60 * Self.second - 1) == .refused)
    #expect(breaker.takeProbe(.outage, Self.now + 60 * Self.second) == .taken)
    #expect(breaker.takeProbe(.outage, Self.now + 60 * Self.second) == .refused)
  }

  @Test func `any clock and any bits will do`() {
    for bits in [0, 1, 1 << 59, 1 << 60, UInt64.max, UInt64.max >> 1] {
      for now in [0, 1, UInt64.max >> 5, UInt64.max - 1, UInt64.max] {
        var breaker = Breaker(rawValue: bits)
        _ = breaker.state(now)
        _ = breaker.takeProbe(.outage, now)
        _ = breaker.fail(isVouchedFor: false, wasProbe: true, .key, now)
        breaker.releaseProbe()
        breaker.succeed()
        #expect(breaker == Breaker())
      }
    }
  }

  @Test func `of many threads that ask at once one gets the probe, round after round`() {
    let shared = SharedBreaker(.outage)
    var now = Self.now
    for round in 0..<200 {
      _ = shared.fail(wasProbe: true, began: now, now: now)
      now += 20 * Self.second
      let at = now
      let taken = Atomic<Int>(0)
      DispatchQueue.concurrentPerform(iterations: 8) { _ in
        for _ in 0..<50 where shared.takeProbe(at) == .taken { taken.add(1, ordering: .relaxed) }
      }
      #expect(taken.load(ordering: .relaxed) == 1, "round \(round)")
    }
  }
}
