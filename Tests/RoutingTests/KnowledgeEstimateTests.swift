import Catalog
import Testing
import Wire

@testable import Routing

@Suite("What is known of endpoints: estimates")
struct KnowledgeEstimateTests {
  typealias Fixture = KnowledgeFixture

  @Test("With no sample everything is the default, and nothing is reported")
  func defaults() throws {
    let table = try Fixture.table([2, 1])
    var statistics = EndpointStatistics()
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    #expect(known.endpoints == Array(repeating: EndpointEstimate(), count: 3))
    #expect(known.reports == Array(repeating: EndpointReport(), count: 3))
    #expect(known.routes == Array(repeating: RouteEstimate(), count: table.routes.count))
  }

  @Test("More samples draw an estimate from the default towards what is observed, never past it")
  func shrinkage() throws {
    let table = try Fixture.table([1])
    var statistics = EndpointStatistics()
    var last = EndpointEstimate()
    for count in 1...100 {
      statistics.fold([Fixture.answer(table.endpoints[0], first: 200_000, duration: 1_200_000)])
      let now = statistics.knowledge(for: table, now: Fixture.begin).endpoints[0]
      #expect(now.samples == count)
      #expect(now.firstToken < last.firstToken && now.firstToken > 0.2)
      #expect(now.throughput > last.throughput && now.throughput < 100)
      #expect(now.failureRate < last.failureRate && now.failureRate > 0)
      #expect(now.interruptionRate < last.interruptionRate && now.interruptionRate > 0)
      last = now
    }
    #expect(abs(last.firstToken - 0.2) < 0.05 && abs(last.throughput - 100) < 4)
  }

  @Test("Rates are those of the formula: failures of all judged, 429s and clients that left count for nothing")
  func rates() throws {
    let table = try Fixture.table([1])
    let endpoint = table.endpoints[0]
    var statistics = EndpointStatistics()
    for result: AttemptObservation.Result in [.completed, .completed, .failed, .interrupted, .rateLimited, .unjudged] {
      statistics.fold([Fixture.answer(endpoint, result)])
    }
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    #expect(known.endpoints[0].samples == 4)
    #expect(abs(known.endpoints[0].failureRate - (1 + 0.2) / 14) < 1e-12)
    #expect(abs(known.endpoints[0].interruptionRate - (1 + 0.1) / 23) < 1e-12)
    let window = known.reports[0].lastFiveMinutes
    #expect(window.requests == 6 && window.failures == 1 && window.interruptions == 1 && window.rateLimited == 1)
    #expect(window.successRate == 0.5)
  }

  @Test("An outage that is over for five minutes is not in the rates any more")
  func oldOutage() throws {
    let table = try Fixture.table([1])
    var statistics = EndpointStatistics()
    statistics.fold((0..<50).map { _ in Fixture.answer(table.endpoints[0], .failed) })
    #expect(statistics.knowledge(for: table, now: Fixture.begin).endpoints[0].failureRate > 0.8)
    let later = statistics.knowledge(for: table, now: Fixture.begin + 5 * Fixture.minute)
    #expect(later.endpoints[0].failureRate == EndpointEstimate().failureRate)
    #expect(later.reports[0].lastFiveMinutes.requests == 0)
    #expect(later.reports[0].lastThirtyMinutes.failures == 50)
    let last = statistics.knowledge(for: table, now: Fixture.begin + 30 * Fixture.minute)
    #expect(last.reports[0] == EndpointReport())
    #expect(last.endpoints[0].lastHeard == Fixture.begin)
  }

  @Test("A speed that was known fades, after the window, towards the model's other endpoints")
  func fading() throws {
    let table = try Fixture.table([3])
    var statistics = EndpointStatistics()
    func fold(_ place: Int, first: UInt64, _ now: UInt64) {
      let seen = Fixture.answer(table.endpoints[place], at: now, first: first, duration: first + 1_000_000)
      statistics.fold(Array(repeating: seen, count: 40))
    }
    fold(0, first: 5_000_000, Fixture.begin)
    fold(1, first: 400_000, Fixture.begin)
    let fresh = statistics.knowledge(for: table, now: Fixture.begin).endpoints.map(\.firstToken)
    #expect(fresh[0] > 4.5 && fresh[1] < 0.8)
    // The third was never heard of: it begins at the middle of the others, with the default as one more.
    #expect(abs(fresh[2] - (2 * 2.7 + 1) / 3) < 1e-5)
    var last = fresh[0]
    for minutes: UInt64 in [6, 10, 20, 40, 120] {
      let now = Fixture.begin + minutes * Fixture.minute
      fold(1, first: 400_000, now)
      let known = statistics.knowledge(for: table, now: now).endpoints[0].firstToken
      #expect(known < last, "after \(minutes) minutes")
      last = known
    }
    #expect(abs(last - (0.4 + 1) / 2) < 0.01)
  }

  @Test("Throughput is without the wait when streamed, and of the whole attempt in the report")
  func throughput() throws {
    let table = try Fixture.table([1])
    var statistics = EndpointStatistics()
    statistics.fold((0..<200).map { _ in Fixture.answer(table.endpoints[0]) })
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    #expect(abs(known.endpoints[0].throughput - 50) < 1)
    #expect(known.reports[0].lastFiveMinutes.throughput?.p50 == 40)
    #expect(known.reports[0].lastFiveMinutes.firstToken?.p99 == 0.5)
  }

  @Test("The cache's yield is reported over expected tokens, drawn to nine tenths, within 0 and 1")
  func cacheYield() throws {
    let table = try Fixture.table([1])
    var statistics = EndpointStatistics()
    func fold(_ cached: Int64?, of expected: Int64) -> Double {
      statistics.fold([
        Fixture.answer(table.endpoints[0]) {
          $0.usage.cachedInput = cached
          $0.expectedCached = expected
        }
      ])
      return statistics.knowledge(for: table, now: Fixture.begin).endpoints[0].cacheYield
    }
    #expect(fold(nil, of: 1_000) == 0.9)
    #expect(fold(500, of: 0) == 0.9)
    #expect(abs(fold(500, of: 1_000) - (0.5 + 4 * 0.9) / 5) < 1e-12)
    #expect(abs(fold(Int64.max, of: 1_000) - (2 * 0.75 + 4 * 0.9) / 6) < 1e-12)
    for _ in 0..<100 { #expect((0...1).contains(fold(Int64.min, of: Int64.max))) }
    #expect(fold(0, of: 1_000) < 0.1)
  }

  @Test("A node's life is the time under load for each interruption, drawn to what is declared")
  func nodeLife() throws {
    let table = try Fixture.table([1])
    var history = EndpointHistory(key: table.endpoints[0].key, heardAt: 0)
    func life(declared: Double?) -> Double? {
      history.estimate(firstToken: 1, throughput: 40, declaredLife: declared, slot: Slot.at(Fixture.begin)).nodeLife
    }
    #expect(life(declared: nil) == nil)
    #expect(life(declared: 600) == 600)
    for _ in 0..<10 { history.add(Fixture.answer(table.endpoints[0], duration: 60_000_000)) }
    #expect(life(declared: nil) == nil)
    history.add(Fixture.answer(table.endpoints[0], .interrupted, duration: 60_000_000))
    #expect(life(declared: nil) == 1_230.0)
    #expect(life(declared: 600) == 620.0)
    // What fails before content says nothing of it.
    history.add(Fixture.answer(table.endpoints[0], .failed, duration: 60_000_000))
    #expect(life(declared: 600) == 620.0)
  }

  @Test("Percentiles are exact: the value that at least so many are not worse than")
  func percentiles() throws {
    #expect(Percentiles(ascending: [], higherIsBetter: false) == nil)
    let one = Percentiles(ascending: [3], higherIsBetter: true)
    #expect(one == Percentiles(p50: 3, p75: 3, p90: 3, p99: 3))
    let ten = (1...10).map(Float.init)
    #expect(Percentiles(ascending: ten, higherIsBetter: false) == Percentiles(p50: 5, p75: 8, p90: 9, p99: 10))
    #expect(Percentiles(ascending: ten, higherIsBetter: true) == Percentiles(p50: 6, p75: 3, p90: 2, p99: 1))
    let hundred = (1...100).map(Float.init)
    #expect(Percentiles(ascending: hundred, higherIsBetter: false) == Percentiles(p50: 50, p75: 75, p90: 90, p99: 99))
    #expect([1, 2, 3, 10].median == 2.5)
    #expect([1.0, 2, 4].median(without: 1) == 2.5)
    #expect([1.0].median(without: 0) == nil)
  }

  @Test("A window of samples agrees with sorting all that is in it, through any order of adding and aging")
  func sampleWindow() {
    var random = FastRandom(seed: 7)
    var samples = TimedSamples()
    var all: [TimedSamples.Sample] = []
    var slot = 1_000
    for step in 0..<6_000 {
      if random.below(40) == 0 { slot += random.below(50) } else if random.below(4) == 0 { slot += 1 }
      let value = Float(random.below(100) + 1)
      if step % 3_000 < 1_500 || random.below(20) == 0 {
        samples.add(value, slot: slot)
        all.append(TimedSamples.Sample(slot: Int32(slot), value: value))
      }
      samples.age(slot: slot)
      all = all.filter { Int($0.slot) > slot - Slot.long }.suffix(TimedSamples.limit)
      #expect(Array(samples.samples) == all)
      if step % 16 != 0 { continue }
      #expect(samples.long == all.map(\.value).sorted())
      #expect(samples.short == all.filter { Int($0.slot) > slot - Slot.short }.map(\.value).sorted())
    }
  }
}
