import Catalog
import Testing
import Wire

@testable import Routing

@Suite("What is known of endpoints: quality, peers, routes, reloads, restarts")
struct KnowledgeReportTests {
  typealias Fixture = KnowledgeFixture

  private func fold(
    _ statistics: inout EndpointStatistics, _ endpoint: Endpoint, duration: UInt64 = 2_500_000, badTools: Int = 0,
    of tools: Int = 0, answers: Int = 20
  ) {
    for index in 0..<answers {
      statistics.fold([
        Fixture.answer(endpoint, duration: duration) {
          guard index < tools else { return }
          $0.quality = QualityVerdict()
          $0.quality?.hasToolCalls = true
          $0.quality?.hasBadToolCall = index < badTools
        }
      ])
    }
  }

  @Test("An endpoint whose throughput is far below its peers' lags, and says why")
  func throughputLag() throws {
    let table = try Fixture.table([5, 3])
    var statistics = EndpointStatistics()
    for place in 0..<4 { fold(&statistics, table.endpoints[place], duration: 2_400_000 + 50_000 * UInt64(place)) }
    fold(&statistics, table.endpoints[4], duration: 5_000_000)
    // The other model has too few endpoints to say who lags.
    for place in 5..<7 { fold(&statistics, table.endpoints[place]) }
    fold(&statistics, table.endpoints[7], duration: 50_000_000)
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    #expect(known.endpoints.map(\.isLagging) == [false, false, false, false, true, false, false, false])
    let lag = try #require(known.reports[4].lag)
    #expect(lag.hasPrefix("its throughput of 20.0 tokens/s is below "), "\(lag)")
    #expect(lag.hasSuffix("(median 40.0 of 5 endpoints, less 1.5 sigma)"), "\(lag)")
    #expect(known.reports[0].lag == nil && known.reports[7].lag == nil)
  }

  @Test("Peers that are nearly the same do not lag, and few samples accuse nobody")
  func noLag() throws {
    let table = try Fixture.table([6])
    var statistics = EndpointStatistics()
    for place in 0..<5 { fold(&statistics, table.endpoints[place], duration: place == 0 ? 2_900_000 : 2_500_000) }
    fold(&statistics, table.endpoints[5], duration: 50_000_000, answers: 19)
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    #expect(known.endpoints.allSatisfy { !$0.isLagging })
    fold(&statistics, table.endpoints[5], duration: 50_000_000, answers: 1)
    #expect(statistics.knowledge(for: table, now: Fixture.begin).endpoints[5].isLagging)
    // Thirty minutes later nobody remembers, and nobody lags.
    let later = statistics.knowledge(for: table, now: Fixture.begin + 31 * Fixture.minute)
    #expect(later.endpoints.allSatisfy { !$0.isLagging } && later.reports.allSatisfy { $0.lag == nil })
  }

  @Test("Bad tool calls below the peers' by two sigma lag; five points less do not; both are reported")
  func toolLag() throws {
    let table = try Fixture.table([5])
    var statistics = EndpointStatistics()
    for place in 0..<3 { fold(&statistics, table.endpoints[place], badTools: 0, of: 40, answers: 40) }
    fold(&statistics, table.endpoints[3], badTools: 2, of: 40, answers: 40)
    fold(&statistics, table.endpoints[4], badTools: 4, of: 40, answers: 40)
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    #expect(known.endpoints.map(\.isLagging) == [false, false, false, false, true])
    let lag = "good tool calls: 90.0 % is below 94.1 % (median 100.0 % of 5 endpoints, less 2 sigma)"
    #expect(known.reports[4].lag == lag)
    #expect(known.reports[3].toolErrors?.rate == 0.05 && known.reports[3].toolErrors?.of == 40)
    #expect(known.reports[3].jsonErrors == nil)
    #expect(known.reports[3].emptyAnswers?.rate == 0)
    let later = statistics.knowledge(for: table, now: Fixture.begin + 125 * Fixture.minute)
    #expect(later.reports.allSatisfy { $0.toolErrors == nil && $0.lag == nil })
  }

  @Test("A route learns its tokens per byte, how sure that is, how long answers are, and how many go on")
  func routes() throws {
    let table = try Fixture.table([1])
    let route = try #require(table.route(named: "r"))
    var statistics = EndpointStatistics()
    var random = FastRandom(seed: 3)
    var spreads: [Double] = [RouteEstimate().spread]
    for round in 0..<300 {
      statistics.fold([
        Fixture.answer(table.endpoints[0], output: 1_000) {
          $0.promptBytes = 10_000
          $0.usage.input = 3_000 + Int64(random.below(100))
          $0.isContinuation = round % 4 != 0
        }
      ])
      if round % 100 == 99 {
        spreads.append(statistics.knowledge(for: table, now: Fixture.begin).routes[route].spread)
      }
    }
    let known = statistics.knowledge(for: table, now: Fixture.begin).routes[route]
    #expect(abs(known.tokensPerByte - 0.305) < 0.01)
    #expect(zip(spreads, spreads.dropFirst()).allSatisfy { $0 > $1 })
    #expect(known.spread < 0.08)
    #expect(abs(known.outputTokens - 1_000) < 40)
    #expect(abs(known.continuation - 0.75) < 0.05)
    #expect(known.samples == 300)
    // Media, unknown counts and absurd ones teach nothing, or next to it.
    statistics.fold([
      Fixture.answer(table.endpoints[0], output: nil) {
        $0.promptBytes = 10
        $0.usage.input = Int64.max
      }
    ])
    let after = statistics.knowledge(for: table, now: Fixture.begin).routes[route]
    #expect(after.tokensPerByte < 0.31 && after.outputTokens == known.outputTokens)
  }

  @Test("A reload keeps what is known; what is gone for an hour is forgotten")
  func reload() throws {
    let (both, one) = (try Fixture.table([2, 1]), try Fixture.table([1]))
    var statistics = EndpointStatistics()
    for place in 0..<3 { fold(&statistics, both.endpoints[place], answers: 10) }
    let before = statistics.knowledge(for: both, now: Fixture.begin)
    let after = statistics.knowledge(for: one, now: Fixture.begin)
    #expect(after.endpoints.count == 1 && after.reports[0] == before.reports[0])
    let again = statistics.knowledge(for: both, now: Fixture.begin)
    #expect(again.endpoints == before.endpoints && again.reports == before.reports && again.routes == before.routes)
    _ = statistics.knowledge(for: one, now: Fixture.begin)
    _ = statistics.knowledge(for: one, now: Fixture.begin + 59 * Fixture.minute)
    #expect(statistics.histories.count == 3)
    _ = statistics.knowledge(for: one, now: Fixture.begin + 61 * Fixture.minute)
    #expect(statistics.histories.map(\.key) == [one.endpoints[0].key])
    #expect(statistics.knowledge(for: both, now: Fixture.begin + 61 * Fixture.minute).endpoints[1].lastHeard == 0)
  }

  @Test("Nothing new is the same object; a stepwise picture equals one made at once", .timeLimit(.minutes(1)))
  func steps() throws {
    let table = try Fixture.table([5, 3, 1, 1])
    var random = FastRandom(seed: 11)
    var (stepwise, atOnce) = (EndpointStatistics(), EndpointStatistics())
    let results: [AttemptObservation.Result] = [
      .completed, .completed, .completed, .failed, .interrupted, .rateLimited,
    ]
    var now = Fixture.begin
    for _ in 0..<200 {
      let batch = (0..<random.below(8)).map { _ in
        return Fixture.answer(
          table.endpoints[random.below(10)], at: now - UInt64(random.below(300)) * 1_000_000,
          results[random.below(6)], first: UInt64(random.below(2_000_000)),
          duration: 2_000_000 + UInt64(random.below(4_000_000)))
      }
      now += UInt64(random.below(20)) * Fixture.second / 2
      stepwise.fold(batch)
      atOnce.fold(batch)
      let known = stepwise.knowledge(for: table, now: now)
      #expect(stepwise.knowledge(for: table, now: now) === known)
      var fresh = atOnce
      let whole = fresh.knowledge(for: try Fixture.table([5, 3, 1, 1]), now: now)
      #expect(known.endpoints.elementsEqual(whole.endpoints) { nearly($0, $1) })
      #expect(known.reports == whole.reports)
    }
  }

  private func nearly(_ a: EndpointEstimate, _ b: EndpointEstimate) -> Bool {
    abs(a.firstToken - b.firstToken) < 1e-3 && abs(a.throughput - b.throughput) < 1e-2
      && a.failureRate == b.failureRate && a.interruptionRate == b.interruptionRate && a.isLagging == b.isLagging
      && a.samples == b.samples && a.lastHeard == b.lastHeard
  }

  @Test("A restart, with a clock that begins anew, knows what was known and how long ago")
  func restart() throws {
    let table = try Fixture.table([5])
    var statistics = EndpointStatistics()
    for place in 0..<5 {
      fold(&statistics, table.endpoints[place], duration: place == 4 ? 9_000_000 : 2_500_000, badTools: 1, of: 3)
    }
    let known = statistics.knowledge(for: table, now: Fixture.begin + Fixture.minute)
    let bytes = statistics.encoded(now: Fixture.begin + Fixture.minute, unixSeconds: 1_000_000)
    var same = EndpointStatistics(encoded: bytes, now: Fixture.begin + Fixture.minute, unixSeconds: 1_000_000)
    let restored = same.knowledge(for: table, now: Fixture.begin + Fixture.minute)
    #expect(restored.endpoints == known.endpoints && restored.reports == known.reports)
    #expect(restored.routes == known.routes)
    #expect(same.encoded(now: Fixture.begin + Fixture.minute, unixSeconds: 1_000_000) == bytes)
    #expect(restored.endpoints[4].isLagging)

    // The machine was restarted, and was away for ten minutes: the five minutes are empty, the thirty are not.
    var later = EndpointStatistics(encoded: bytes, now: 20 * Fixture.second, unixSeconds: 1_000_600)
    let aged = later.knowledge(for: table, now: 20 * Fixture.second)
    #expect(aged.endpoints[0].samples == 0 && aged.reports[0].lastThirtyMinutes.requests == 20)
    #expect(aged.endpoints[0].lastHeard == 1)
    var stayed = statistics
    let expected = stayed.knowledge(for: table, now: Fixture.begin + 11 * Fixture.minute)
    for (a, b) in zip(aged.endpoints, expected.endpoints) { #expect(abs(a.firstToken - b.firstToken) < 1e-9) }
    #expect(aged.routes == expected.routes)
    #expect(expected.endpoints[0].firstToken < 0.9)
  }

  @Test("Whatever the bytes are, there is a state: what was written, or an empty one")
  func hostileBytes() throws {
    let table = try Fixture.table([2])
    var statistics = EndpointStatistics()
    for place in 0..<2 { fold(&statistics, table.endpoints[place], badTools: 1, of: 3) }
    let bytes = statistics.encoded(now: Fixture.begin, unixSeconds: 1_000)
    func use(_ bytes: [UInt8], now: UInt64 = Fixture.begin, unixSeconds: Int64 = 1_000) -> Int {
      var read = EndpointStatistics(encoded: bytes, now: now, unixSeconds: unixSeconds)
      read.fold([Fixture.answer(table.endpoints[0], at: now)])
      let known = read.knowledge(for: table, now: now)
      for estimate in known.endpoints {
        #expect(estimate.firstToken.isFinite && estimate.throughput.isFinite && (0...1).contains(estimate.cacheYield))
      }
      _ = read.encoded(now: now, unixSeconds: unixSeconds)
      return read.histories.count
    }
    for count in stride(from: 0, to: bytes.count, by: 11) { #expect(use(Array(bytes.prefix(count))) == 1) }
    // Damage that the check would find, with the check made good again.
    var random = FastRandom(seed: 5)
    for _ in 0..<1_000 {
      var damaged = Array(bytes.dropLast(8))
      for _ in 0...random.below(4) {
        damaged[random.below(damaged.count)] = UInt8(truncatingIfNeeded: random.below(256))
      }
      if random.below(4) == 0 { damaged.removeLast(random.below(damaged.count)) }
      let check = StatisticsReader.check(damaged[...])
      for byte in 0..<8 { damaged.append(UInt8(truncatingIfNeeded: check >> UInt64(byte * 8))) }
      _ = use(damaged)
    }
    for unixSeconds in [Int64.min, -1, 0, Int64.max] { #expect(use(bytes, unixSeconds: unixSeconds) == 2) }
    for now in [0, UInt64.max] { #expect(use(bytes, now: now) == 2) }
  }
}
