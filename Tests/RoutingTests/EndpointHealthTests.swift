import Catalog
import Testing

@testable import Routing

@Suite struct EndpointHealthTests {
  private static let second: UInt64 = 1_000_000_000
  private static let begin = 1_000 * second

  /// Two providers; `p` has the endpoints `p:a` and `p:b`, `q` has `q:a`.
  private static func shared(_ order: [String] = ["p:a", "p:b", "q:a"], keys: [String] = []) throws -> RouteTable {
    var yaml = "providers:\n"
    let credentials = keys.isEmpty ? "" : ", api_key: [\(keys.joined(separator: ", "))]"
    for name in ["p", "q"] where order.contains(where: { $0.hasPrefix(name) }) {
      yaml += "  \(name): { base_url: 'http://127.0.0.1:9/\(name)'\(credentials) }\n"
    }
    yaml += "models:\n  m:\n    endpoints:\n"
    for id in order { yaml += "      - { provider: \(id.prefix(1)), model: \(id.suffix(1)) }\n" }
    yaml += "routes:\n  r: { models: [m], policy: { order: [p, q] } }\n"
    let file = try #require(RoutesFile.parse(yaml).file, "\(RoutesFile.parse(yaml))")
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    let made = try #require(table, "\(diagnostics)")
    #expect(made.endpoints.map(\.id) == order)
    return made
  }

  @Test
  func `an endpoint in an outage stands behind the others until it is due for a probe, and while that is under way`()
    throws
  {
    let fleet = try Fleet(["", ""], route: "policy: { order: [p0, p1] }")
    let health = fleet.health
    var now = Self.begin
    for seconds: UInt64 in [2, 4, 8, 16, 20, 20] {
      #expect(fleet.plan(Fleet.question(), now: now) == [0, 1])
      let admission = health.admit(endpoint: 0, now: now)
      #expect(admission == (seconds == 2 ? .granted : .probe))
      if admission == .probe {
        #expect(fleet.plan(Fleet.question(), now: now) == [1, 0])
        #expect(health.admit(endpoint: 0, now: now) == .refused)
      }
      health.record(endpoint: 0, succeeded: false, wasProbe: admission == .probe, now: now)
      // Others that were under way fail too: that is the same outage.
      health.record(endpoint: 0, succeeded: false, now: now + 1)
      let end = now + seconds * Self.second
      #expect(fleet.plan(Fleet.question(), now: end - 1) == [1, 0])
      #expect(health.admit(endpoint: 0, now: end - 1) == .refused)
      now = end
    }
    #expect(health.admit(endpoint: 0, now: now) == .probe)
    health.record(endpoint: 0, succeeded: true, wasProbe: true, now: now)
    #expect(health.look(0, now: now).isStable && health.isInGoodStanding(endpoint: 0, now: now))
    #expect(health.look(0, now: now).share == 0.1)
    #expect(
      health.fetchEvents() == [
        .opened(endpoint: "p0:m", pause: 2 * Self.second), .closed(endpoint: "p0:m", after: now - Self.begin),
      ])
    #expect(health.fetchEvents().isEmpty)
  }

  @Test func `one failure of an endpoint that answers others is no outage, two in a row are`() throws {
    let health = EndpointHealth(try SelectionTests.table(["1"]))
    func isStable(_ now: UInt64) -> Bool { health.look(0, now: now).isStable }
    let now = Self.begin
    health.record(endpoint: 0, succeeded: true, now: now)
    health.record(endpoint: 0, succeeded: false, now: now + 1)
    #expect(isStable(now + 2) && health.admit(endpoint: 0, now: now + 2) == .granted)
    #expect(!health.isInGoodStanding(endpoint: 0, now: now + 2))
    health.record(endpoint: 0, succeeded: true, now: now + 3)
    // It was away for no moment, so it has nothing to return from.
    #expect(health.look(0, now: now + 4).share == 1 && health.isInGoodStanding(endpoint: 0, now: now + 4))
    health.record(endpoint: 0, succeeded: false, now: now + 5)
    health.record(endpoint: 0, succeeded: false, now: now + 6)
    #expect(!isStable(now + 7))
    health.record(endpoint: 0, succeeded: true, now: now + 8)
    // Long after its last success nothing vouches for it.
    health.record(endpoint: 0, succeeded: false, now: now + 8 + 30 * Self.second)
    #expect(!isStable(now + 9 + 30 * Self.second))
  }

  @Test func `what began before an outage does not end it, and what began in it does not bring it back`() throws {
    let health = EndpointHealth(try SelectionTests.table(["1"]))
    let now = Self.begin
    health.record(endpoint: 0, succeeded: false, began: now - 1, now: now)
    health.record(endpoint: 0, succeeded: true, began: now - 2, now: now + 1)
    #expect(!health.look(0, now: now + 2).isStable)
    health.record(endpoint: 0, succeeded: true, began: now + 2, now: now + 3)
    #expect(health.isInGoodStanding(endpoint: 0, now: now + 4))
    for _ in 0..<3 { health.record(endpoint: 0, succeeded: false, began: now + 2, now: now + 40 * Self.second) }
    #expect(health.isInGoodStanding(endpoint: 0, now: now + 41 * Self.second))
  }

  @Test func `a minute's outage costs at most ten attempts, serves everybody, and is over within 20 s of its end`()
    throws
  {
    let fleet = try Fleet(["", ""], route: "policy: { order: [p0, p1] }")
    let health = fleet.health
    let (fails, returns) = (Self.begin + 10 * Self.second, Self.begin + 70 * Self.second)
    var (wasted, served) = (0, 0)
    var backAt: UInt64?
    for now in stride(from: Self.begin, to: Self.begin + 120 * Self.second, by: 20_000_000) {
      for place in fleet.plan(Fleet.question(), now: now) {
        let admission = health.admit(endpoint: place, now: now)
        if admission == .refused { continue }
        let isUp = place == 1 || now < fails || now >= returns
        health.record(endpoint: place, succeeded: isUp, scope: .provider, wasProbe: admission == .probe, now: now + 1)
        if !isUp {
          wasted += 1
          continue
        }
        served += 1
        if place == 0, now >= returns, backAt == nil { backAt = now }
        break
      }
    }
    #expect(served == 120 * 50)
    #expect(wasted <= 10, "\(wasted)")
    #expect(try #require(backAt) <= returns + 20 * Self.second)
  }

  @Test func `a fault of the provider takes all of its endpoints out, one probe of any of them brings all back`() throws
  {
    let health = EndpointHealth(try Self.shared())
    var now = Self.begin
    func stable() -> [Bool] { (0..<3).map { health.look($0, now: now).isStable } }
    // Another fault is the endpoint's own.
    health.record(endpoint: 1, succeeded: false, now: now)
    #expect(stable() == [true, false, true])
    health.record(endpoint: 0, succeeded: false, scope: .provider, now: now)
    #expect(stable() == [false, false, true])
    now += 2 * Self.second
    #expect(stable() == [true, true, true])
    #expect(health.admit(endpoint: 1, now: now) == .probe)
    // The provider's one probe is under way, so the other endpoint is out too.
    #expect(stable() == [false, false, true])
    #expect(health.admit(endpoint: 0, now: now) == .refused)
    // It does not hold the other's own probe meanwhile.
    health.releaseProbe(endpoint: 1)
    #expect(stable() == [true, true, true])
    #expect(health.admit(endpoint: 0, now: now) == .probe)
    health.record(endpoint: 0, succeeded: false, scope: .provider, wasProbe: true, now: now)
    now += 4 * Self.second - 1
    #expect(stable() == [false, false, true])
    now += 1
    #expect(health.admit(endpoint: 1, now: now) == .probe)
    // A fault of the endpoint alone gives no verdict on the provider: the other may try.
    health.record(endpoint: 1, succeeded: false, wasProbe: true, now: now)
    #expect(stable() == [true, false, true])
    #expect(health.admit(endpoint: 0, now: now) == .probe)
    health.record(endpoint: 0, succeeded: true, wasProbe: true, now: now)
    #expect(stable() == [true, false, true])
    #expect(health.look(1, now: now).share == 0.1)
    now += 4 * Self.second
    #expect(stable() == [true, true, true])
    #expect(
      health.fetchEvents() == [
        .opened(endpoint: "p:b", pause: 2 * Self.second), .opened(endpoint: "p:a", pause: 2 * Self.second),
        .providerOpened(provider: "p", pause: 2 * Self.second), .closed(endpoint: "p:a", after: 6 * Self.second),
        .providerClosed(provider: "p", after: 6 * Self.second),
      ])
  }

  @Test func `the last candidates are never taken out of the plan`() throws {
    var fleet = try Fleet(["", ""], route: "policy: { order: [p0, p1] }")
    for place in 0..<2 {
      fleet.health.record(endpoint: place, succeeded: false, scope: .provider, now: Self.begin)
      fleet.health.retire(endpoint: place, key: 0, .refused, now: Self.begin)
    }
    fleet.estimates[0].isOutlier = true
    #expect(fleet.plan(Fleet.question(), now: Self.begin) == [0, 1])
    let candidates = fleet.explain(Fleet.question(), now: Self.begin).candidates
    #expect(candidates.map(\.setbacks.count) == [2, 2])
    #expect(candidates[0].breaker == "open for 2 s more; that of the provider open for 2 s more")
    #expect(candidates[0].keys == "0 of 1 keys free (1 refused, for 5 min)")
    #expect(fleet.explain(Fleet.question(), now: Self.begin).text(fleet.table).contains("open for 2 s more"))
  }

  @Test func `explain says where a breaker stands`() throws {
    let fleet = try Fleet([""])
    func words(_ now: UInt64) -> String { fleet.explain(Fleet.question(), now: now).candidates[0].breaker }
    let now = Self.begin
    #expect(words(now) == "closed")
    fleet.health.record(endpoint: 0, succeeded: true, now: now)
    fleet.health.record(endpoint: 0, succeeded: false, now: now)
    #expect(words(now) == "closed, with a failure outstanding")
    fleet.health.record(endpoint: 0, succeeded: false, now: now)
    #expect(words(now) == "open for 2 s more")
    #expect(words(now + 2 * Self.second) == "in probation, the next request tries it")
    _ = fleet.health.admit(endpoint: 0, now: now + 2 * Self.second)
    #expect(words(now + 2 * Self.second) == "in probation, one request tries it now")
    fleet.health.record(endpoint: 0, succeeded: true, wasProbe: true, now: now + 3 * Self.second)
    #expect(words(now + 18 * Self.second) == "closed again, returning to 55 % of its requests")
    #expect(words(now + 33 * Self.second) == "closed")
  }

  @Test func `a new table shares what is known of the same endpoints, providers, keys and routes`() throws {
    let old = EndpointHealth(try Self.shared(["p:a", "p:b", "q:a"], keys: ["one", "two"]))
    let now = Self.begin
    old.record(endpoint: 2, succeeded: false, scope: .provider, now: now)
    old.limit(endpoint: 0, key: 1, for: 9 * Self.second, now: now)
    old.retire(endpoint: 1, key: 0, .spent, now: now)
    for _ in 0..<3 { #expect(old.takeRetry(route: 0)) }
    old.noteFirstAttempt(route: 0)
    old.earnHedge(route: 0, nanoUSD: 100, share: 1)
    let new = EndpointHealth(
      try Self.shared(["q:c", "q:a", "p:a"], keys: ["two", "three", "one"]), after: old)
    // `q` is out with all it has; of the keys of `p` the first is limited at `p:a`, and the last is spent.
    #expect((0..<3).map { new.look($0, now: now).isStable } == [false, false, true])
    #expect((0..<4).map { _ in new.key(endpoint: 2, now: now) } == [1, 1, 1, 1])
    #expect(new.keyWords(2, now: now) == "1 of 3 keys free (1 limited for 9 s, 1 spent, for 5 min)")
    #expect(!new.takeRetry(route: 0))
    for _ in 0..<4 { old.noteFirstAttempt(route: 0) }
    #expect(new.takeRetry(route: 0) && !old.takeRetry(route: 0))
    #expect(new.takeHedge(route: 0, expectedNanoUSD: 100) && !old.takeHedge(route: 0, expectedNanoUSD: 0))
    // A completion that still runs under the old table teaches both.
    old.record(endpoint: 2, succeeded: true, scope: .endpoint, now: now + 1)
    old.attemptStarted(endpoint: 0)
    old.keySucceeded(endpoint: 1, key: 0, began: now + 1, now: now + 1)
    #expect((0..<3).map { new.look($0, now: now + 1).isStable } == [true, true, true])
    #expect(new.look(2, now: now + 1).running == 1)
    #expect(Set((0..<4).map { _ in new.key(endpoint: 2, now: now + 1) }) == [1, 2])
    #expect(new.fetchEvents().count == 6)
    // Places that no table has do no harm.
    for place in [-1, 3, Int.max] {
      new.record(endpoint: place, succeeded: false, now: now)
      new.retire(endpoint: 0, key: place, .refused, now: now)
      #expect(new.admit(endpoint: place, now: now) == .granted && !new.takeRetry(route: place))
      #expect(new.key(endpoint: place, now: now) == 0 && new.limitedFor(endpoint: place, now: now) == 0)
    }
  }

  @Test func `events that nobody fetches do not pile up, and each says what to do`() throws {
    let health = EndpointHealth(try SelectionTests.table(["1"]))
    for round in 0..<400 {
      let now = Self.begin + UInt64(round) * 60 * Self.second
      health.record(endpoint: 0, succeeded: false, now: now)
      health.record(endpoint: 0, succeeded: true, now: now + 1)
    }
    #expect(health.fetchEvents().count == HealthEvents.limit)
    let retired = EndpointHealth.Event.keyRetired(provider: "p", place: 1, why: .refused, for: 300 * Self.second)
    #expect(
      retired.description
        == "the provider p refuses key 2 of routes.yaml, which is not used for 5 min. Put a valid one in its place and reload"
    )
    #expect(EndpointHealth.Event.span(20 * Self.second) == "20 s")
    #expect(EndpointHealth.Event.span(3_600 * Self.second) == "60 min")
    #expect(EndpointHealth.Event.span(UInt64.max).hasSuffix(" h"))
  }
}
