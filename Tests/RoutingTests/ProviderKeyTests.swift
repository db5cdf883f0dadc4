import Catalog
import Testing

@testable import Routing

@Suite struct ProviderKeyTests {
  private static let second: UInt64 = 1_000_000_000
  private static let now = 1_000 * second

  /// One provider with this many keys, and two models at it.
  private static func health(keys: Int) throws -> EndpointHealth {
    let names = (0..<keys).map { "key-\($0)" }.joined(separator: ", ")
    let yaml = """
      providers:
        p: { base_url: 'http://127.0.0.1:9/v1'\(keys > 0 ? ", api_key: [\(names)]" : "") }
      models:
        m: { endpoints: [ { provider: p } ] }
        n: { endpoints: [ { provider: p } ] }
      routes:
        r: { models: [m] }
      """
    let file = try #require(RoutesFile.parse(yaml).file, "\(RoutesFile.parse(yaml))")
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    return EndpointHealth(try #require(table, "\(diagnostics)"))
  }

  private static func keys(_ health: EndpointHealth, _ endpoint: Int = 0, tried: UInt64 = 0, at now: UInt64 = now)
    -> [Int?]
  {
    (0..<6).map { _ in health.key(endpoint: endpoint, tried: tried, now: now) }
  }

  @Test func `free keys take turns, those tried already are left out`() throws {
    let health = try Self.health(keys: 3)
    #expect(Self.keys(health) == [0, 1, 2, 0, 1, 2])
    #expect(Set(Self.keys(health, tried: 0b010)) == [0, 2])
    #expect(Set(Self.keys(health, tried: 0b111)) == [nil])
    #expect(health.limitedFor(endpoint: 0, now: Self.now) == 0)
    let bare = try Self.health(keys: 0)
    #expect(Set(Self.keys(bare)) == [0] && bare.key(endpoint: 0, tried: 1, now: Self.now) == nil)
  }

  @Test func `a used-up rate limit is the key's at that endpoint, and the furthest word holds`() throws {
    let health = try Self.health(keys: 2)
    health.limit(endpoint: 0, key: 1, for: 9 * Self.second, now: Self.now)
    health.limit(endpoint: 0, key: 1, for: 2 * Self.second, now: Self.now)
    #expect(Set(Self.keys(health)) == [0] && Set(Self.keys(health, 1)) == [0, 1])
    #expect(!health.look(0, now: Self.now).isLimited && health.isInGoodStanding(endpoint: 0, now: Self.now))
    health.limit(endpoint: 0, key: 0, for: 3 * Self.second, now: Self.now)
    #expect(Set(Self.keys(health)) == [nil])
    #expect(health.limitedFor(endpoint: 0, now: Self.now) == 3 * Self.second)
    #expect(health.look(0, now: Self.now).isLimited && !health.look(1, now: Self.now).isLimited)
    #expect(!health.isInGoodStanding(endpoint: 0, now: Self.now))
    #expect(health.keyWords(0, now: Self.now) == "0 of 2 keys free (1 limited for 3 s, 1 limited for 9 s)")
    #expect(Set(Self.keys(health, at: Self.now + 3 * Self.second)) == [0])
    #expect(Set(Self.keys(health, at: Self.now + 9 * Self.second)) == [0, 1])
    // A day at most is believed.
    health.limit(endpoint: 1, key: 0, for: UInt64.max, now: Self.now)
    health.limit(endpoint: 1, key: 1, for: UInt64.max, now: Self.now)
    #expect(health.limitedFor(endpoint: 1, now: Self.now) == 86_400 * Self.second)
  }

  @Test func `a retired key is out at all endpoints, tried by one request after its pause, and longer each time`()
    throws
  {
    let health = try Self.health(keys: 2)
    var now = Self.now
    var minutes: [UInt64] = []
    for _ in 0..<6 {
      health.retire(endpoint: 0, key: 0, .refused, now: now)
      // Others that were under way with it say the same.
      health.retire(endpoint: 1, key: 0, .refused, now: now)
      guard case .keyRetired("p", 0, .refused, let span) = try #require(health.fetchEvents().last) else { break }
      minutes.append(span / (60 * Self.second))
      #expect(Set(Self.keys(health, 1, at: now + span - 1)) == [1])
      now += span
      // One request with it; the next are served by the other until a verdict is there.
      #expect(Self.keys(health, 1, at: now).filter { $0 == 0 }.count == 1)
    }
    #expect(minutes == [5, 10, 20, 40, 60, 60])
    // An answer that began before it was retired, and ends now, shows nothing.
    health.keySucceeded(endpoint: 0, key: 0, began: Self.now - 1, now: now)
    #expect(health.fetchEvents().isEmpty)
    health.keySucceeded(endpoint: 0, key: 0, began: now, now: now)
    health.keySucceeded(endpoint: 0, key: 0, began: now, now: now)
    #expect(Set(Self.keys(health, at: now)) == [0, 1])
    #expect(health.fetchEvents() == [.keyReturned(provider: "p", place: 0)])
    health.retire(endpoint: 0, key: 0, .spent, now: now)
    #expect(
      health.fetchEvents() == [.keyRetired(provider: "p", place: 0, why: .spent, for: 300 * Self.second)])
  }

  @Test func `when all are limited or retired the endpoint counts as limited, and is free when the first returns`()
    throws
  {
    let health = try Self.health(keys: 2)
    health.retire(endpoint: 1, key: 0, .spent, now: Self.now)
    #expect(!health.look(0, now: Self.now).isLimited)
    health.limit(endpoint: 0, key: 1, for: 600 * Self.second, now: Self.now)
    #expect(health.look(0, now: Self.now).isLimited && !health.look(1, now: Self.now).isLimited)
    #expect(health.limitedFor(endpoint: 0, now: Self.now) == 300 * Self.second)
    let later = Self.now + 300 * Self.second
    #expect(!health.look(0, now: later).isLimited)
    // What asks for other than a free one.
    #expect(health.hasKey(endpoint: 0, tried: 0, now: later) && !health.hasKey(endpoint: 0, tried: 1, now: later))
    #expect(health.rateLimitedFor(endpoint: 0, now: later) == 0)
    #expect(health.rateLimitedFor(endpoint: 0, now: Self.now) == 600 * Self.second)
    #expect(health.anyKey(endpoint: 0, tried: 0, now: Self.now) == 0)
    #expect(health.anyKey(endpoint: 0, tried: 1, now: Self.now) == nil)
    #expect(health.key(endpoint: 0, now: later) == 0)
    // Its trial is under way; when nobody speaks of that any more the next may try.
    #expect(health.look(0, now: later).isLimited && health.key(endpoint: 0, now: later) == nil)
    #expect(health.key(endpoint: 0, now: later + 10 * Self.second) == 0)
  }
}
