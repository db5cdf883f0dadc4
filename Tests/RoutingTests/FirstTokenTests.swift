import Catalog
import Testing
import Wire

@testable import Routing

@Suite("Deadlines and hedges by the endpoint's own times; outliers")
struct FirstTokenTests {
  typealias Fixture = KnowledgeFixture
  private static let second: UInt64 = 1_000_000_000

  private static func fold(
    _ statistics: inout EndpointStatistics, _ endpoint: Endpoint, _ result: AttemptObservation.Result = .completed,
    count: Int, at: UInt64 = Fixture.begin, prompt: Int64? = 1_000, first: (Int) -> UInt64 = { _ in 1_000_000 }
  ) {
    for index in 0..<count {
      statistics.fold([
        Fixture.answer(endpoint, at: at, result, first: first(index)) { $0.usage.input = prompt }
      ])
    }
  }

  @Test("Quantiles are exact, and unknown under 20 samples")
  func quantiles() throws {
    let table = try Fixture.table([2])
    var statistics = EndpointStatistics()
    Self.fold(&statistics, table.endpoints[0], count: 19)
    #expect(statistics.knowledge(for: table, now: Fixture.begin).firstTokenQuantile(0, 0.5) == nil)
    // 0.02 s to 2 s: a hundred in all.
    var other = EndpointStatistics()
    Self.fold(&other, table.endpoints[0], count: 100) { UInt64($0 + 1) * 20_000 }
    let known = other.knowledge(for: table, now: Fixture.begin)
    let wanted: [(Double, Double)] = [
      (0.5, 1), (0.75, 1.5), (0.9, 1.8), (0.95, 1.9), (0.99, 1.98), (0.2, 1), (0.6, 1.5), (1, 1.98), (.nan, 1.98),
    ]
    for (quantile, seconds) in wanted {
      let found = try #require(known.firstTokenQuantile(0, quantile))
      #expect(abs(Double(found) / 1e9 - seconds) < 1e-6, "\(quantile)")
    }
    for place in [-1, 1, 2] { #expect(known.firstTokenQuantile(place, 0.5) == nil) }
    // Six minutes later the half hour still tells; after that nothing does.
    #expect(other.knowledge(for: table, now: Fixture.begin + 6 * Fixture.minute).firstTokenQuantile(0, 0.5) != nil)
    #expect(other.knowledge(for: table, now: Fixture.begin + 31 * Fixture.minute).firstTokenQuantile(0, 0.5) == nil)
  }

  @Test("The deadline is four times the 99th percentile, longer for long prompts, at least 2 s, at most as configured")
  func deadline() throws {
    let table = try Fixture.table([2])
    var statistics = EndpointStatistics()
    Self.fold(&statistics, table.endpoints[0], count: 20)
    Self.fold(&statistics, table.endpoints[1], count: 20) { _ in 100_000 }
    let known = statistics.knowledge(for: table, now: Fixture.begin)
    func deadline(_ place: Int, _ prompt: Int64, _ configured: UInt64 = 30) -> Double {
      Double(known.firstTokenDeadline(place, promptTokens: prompt, configured: configured * Self.second)) / 1e9
    }
    #expect(deadline(0, 1_000) == 4 && deadline(0, 0) == 4 && deadline(0, -5) == 4)
    #expect(abs(deadline(0, 3_000) - 12) < 1e-6)
    #expect(deadline(0, 100_000) == 30 && deadline(0, .max) == 30)
    #expect(deadline(0, 1_000, 3) == 3)
    #expect(deadline(1, 1_000) == 2 && deadline(1, 1_000, 1) == 1)
    #expect(deadline(7, 1_000) == 30)
  }

  @Test("Few samples, unknown prompts and an endpoint that fails leave the deadline as configured")
  func deadlineAsConfigured() throws {
    let table = try Fixture.table([1])
    func deadline(_ fold: (inout EndpointStatistics) -> Void) -> UInt64 {
      var statistics = EndpointStatistics()
      fold(&statistics)
      return statistics.knowledge(for: table, now: Fixture.begin)
        .firstTokenDeadline(0, promptTokens: 1_000, configured: 30 * Self.second)
    }
    let endpoint = table.endpoints[0]
    #expect(deadline { Self.fold(&$0, endpoint, count: 19) } == 30 * Self.second)
    #expect(deadline { Self.fold(&$0, endpoint, count: 20) } == 4 * Self.second)
    #expect(deadline { Self.fold(&$0, endpoint, count: 20, prompt: nil) } == 30 * Self.second)
    // It became slower than its deadline: what is cut off must not hide that for ever.
    let failing = deadline {
      Self.fold(&$0, endpoint, count: 20)
      Self.fold(&$0, endpoint, .failed, count: 6)
    }
    #expect(failing == 30 * Self.second)
  }

  @Test("The usual prompt is by the provider's count, or by the bytes")
  func usualPrompt() throws {
    let table = try Fixture.table([1])
    var history = EndpointHistory(key: 1, heardAt: 0)
    history.add(
      Fixture.answer(table.endpoints[0]) {
        $0.usage.input = 600; $0.promptBytes = 4
      })
    history.add(Fixture.answer(table.endpoints[0]) { $0.promptBytes = 1_600 })
    history.add(Fixture.answer(table.endpoints[0]) { $0.usage.input = -9 })
    #expect(history.prompt.over == 1_000 && history.prompt.under == 2)
    // An answer without a first token (unstreamed) has no part in it.
    history.add(Fixture.answer(table.endpoints[0], first: nil) { $0.usage.input = 9_000 })
    #expect(history.prompt.under == 2)
  }

  @Test("A state file of the version before is still read, and one of a version to come is not")
  func versions() throws {
    let table = try Fixture.table([1])
    var statistics = EndpointStatistics()
    Self.fold(&statistics, table.endpoints[0], count: 30)
    let whole = EndpointStatistics(histories: statistics.histories, routes: [:])
    let bytes = whole.encoded(now: Fixture.begin, unixSeconds: 9)
    // The version is the fifth byte. Before the count of routes (one byte) and the check (eight) is what version 2 has
    // more: three fractions and an age of 0.
    func written(_ version: UInt8, without count: Int) -> EndpointStatistics {
      var older = Array(bytes.dropLast(9 + count)) + [0]
      older[4] = version
      let check = StatisticsReader.check(older[...])
      for byte in 0..<8 { older.append(UInt8(truncatingIfNeeded: check >> UInt64(byte * 8))) }
      return EndpointStatistics(encoded: older, now: Fixture.begin, unixSeconds: 9)
    }
    var (same, before) = (written(2, without: 0), written(1, without: 25))
    #expect(written(3, without: 0).histories.isEmpty && written(2, without: 25).histories.isEmpty)
    #expect(same.histories.count == 1 && before.histories.count == 1)
    let now = Fixture.begin
    let (new, old) = (same.knowledge(for: table, now: now), before.knowledge(for: table, now: now))
    #expect(new.endpoints == old.endpoints && new.reports == old.reports)
    #expect(new.firstTokenQuantile(0, 0.99) == Self.second && old.firstTokenQuantile(0, 0.99) == Self.second)
    #expect(new.firstTokenDeadline(0, promptTokens: 9, configured: 30 * Self.second) == 4 * Self.second)
    // What it does not know yet leaves the deadline as configured.
    #expect(old.firstTokenDeadline(0, promptTokens: 9, configured: 30 * Self.second) == 30 * Self.second)
  }

  // MARK: - Outliers

  @Test("Who fails twice as often as another, and half of the time, stands behind; not for long, and never all")
  func outlier() throws {
    let table = try Fixture.table([3, 1])
    var statistics = EndpointStatistics()
    func known(_ now: UInt64 = Fixture.begin) -> Knowledge { statistics.knowledge(for: table, now: now) }
    Self.fold(&statistics, table.endpoints[0], .failed, count: 12)
    Self.fold(&statistics, table.endpoints[0], .interrupted, count: 4)
    Self.fold(&statistics, table.endpoints[0], count: 16)
    Self.fold(&statistics, table.endpoints[0], .rateLimited, count: 50)
    // Of another model: no peer.
    Self.fold(&statistics, table.endpoints[3], count: 100)
    // One with too few, and one that fails more than half as often.
    Self.fold(&statistics, table.endpoints[1], count: 19)
    Self.fold(&statistics, table.endpoints[2], .failed, count: 6)
    Self.fold(&statistics, table.endpoints[2], count: 14)
    #expect(known().endpoints.allSatisfy { !$0.isOutlier })
    Self.fold(&statistics, table.endpoints[2], count: 4)
    #expect(known().endpoints.map(\.isOutlier) == [true, false, false, false])
    #expect(
      known().reports[0].outlier == "50 % of its 32 answers of the last five minutes failed, of those of p2:m0 25 %")
    var fleet = Fleet(table)
    fleet.estimates = known().endpoints
    #expect(fleet.plan(Fleet.question()).last == 0)
    #expect(known(Fixture.begin + 6 * Fixture.minute).endpoints.allSatisfy { !$0.isOutlier })
    // When all fail the last one is as good as any.
    for place in 0..<3 {
      Self.fold(&statistics, table.endpoints[place], .failed, count: 100, at: Fixture.begin + 7 * Fixture.minute)
    }
    #expect(known(Fixture.begin + 7 * Fixture.minute).endpoints.allSatisfy { !$0.isOutlier })
  }
}
