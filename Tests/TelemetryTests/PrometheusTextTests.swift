import Metering
import Testing

@testable import Telemetry

@Suite struct PrometheusTextTests {
  private func record(
    _ number: UInt64, route: String = "chat", provider: String = "p", outcome: Outcome = .completed,
    _ change: (inout AttemptSettled) -> Void = { _ in }
  ) -> UsageRecord {
    let id = RecordID(high: number, low: number)
    var opened = AttemptOpened(id: id, completion: id, unixMilliseconds: number)
    opened.route = route
    opened.provider = provider
    opened.model = "m"
    var settled = AttemptSettled(id: id, outcome: outcome)
    settled.isFinal = true
    change(&settled)
    return UsageRecord(opened: opened, settled: settled)
  }

  @Test func everyLineParsesAndTheSumsAreThoseOfTheRecords() throws {
    let fold = MetricsFold()
    var input: Int64 = 0
    var cost: Int64 = 0
    var records: [UsageRecord] = []
    for number: UInt64 in 1...200 {
      let tokens = Int64(number * 7_919 % 100_000)
      let nano = Int64(number * 104_729 % 1_000_000)
      let outcome: Outcome = number % 10 == 0 ? .failed : .completed
      records.append(
        record(number, provider: number % 2 == 0 ? "even" : "odd", outcome: outcome) { settled in
          settled.usage.input = tokens
          settled.usage.output = number % 4 == 0 ? nil : 10
          settled.cost = nano
          settled.duration = number * 100_000
          settled.timeToFirstToken = number % 5 == 0 ? nil : number * 1_000
          settled.isFinal = number % 20 != 0
        })
      input += tokens
      cost += nano
    }
    fold.record(Array(records[..<50]))
    fold.record(Array(records[50...]))
    let page = try Page(PrometheusText.render(fold.snapshot, version: "1"))

    #expect(page.sum("pointsman_attempts_total") == 200)
    #expect(page.sum("pointsman_requests_total") == 190)
    #expect(page.sum("pointsman_attempts_total", ["outcome": "failed"]) == 20)
    #expect(page.sum("pointsman_attempts_total", ["provider": "even"]) == 100)
    #expect(page.sum("pointsman_tokens_total", ["type": "input"]) == Double(input))
    #expect(page.sum("pointsman_tokens_total", ["type": "output"]) == 1_500)
    #expect(abs(page.sum("pointsman_cost_usd_total") - Double(cost) / 1e9) < 1e-9)
    #expect(page.sum("gen_ai_client_token_usage_count", ["gen_ai_token_type": "output"]) == 150)
    #expect(page.sum("gen_ai_client_token_usage_sum", ["gen_ai_token_type": "input"]) == Double(input))
    #expect(page.sum("gen_ai_server_time_to_first_token_seconds_count") == 160)
    #expect(page.sum("gen_ai_server_request_duration_seconds_bucket", ["le": "+Inf"]) == 200)
    // Durations are 0.1, 0.2 … 20 s: those up to 2.56 s are 25.
    #expect(page.sum("gen_ai_server_request_duration_seconds_bucket", ["le": "2.56"]) == 25)
    #expect(page.types["gen_ai_client_token_usage"] == "histogram")
    #expect(page.types["pointsman_tokens_total"] == "counter")
  }

  @Test func bucketsAreCumulativeAndABoundIsWithinItsBucket() {
    var histogram = Histogram(bounds: [1, 4, 16])
    for value in [0.0, 1, 1.5, 4, 16, 17] { histogram.record(value) }
    #expect(histogram.counts == [2, 2, 1, 1])
    var page = PrometheusPage()
    page.histogram("h", [("a", "b")], histogram)
    #expect(
      page.text == """
        h_bucket{a="b",le="1"} 2
        h_bucket{a="b",le="4"} 4
        h_bucket{a="b",le="16"} 5
        h_bucket{a="b",le="+Inf"} 6
        h_sum{a="b"} 39.5
        h_count{a="b"} 6

        """)
  }

  @Test func labelsAreEscapedAndReadBack() throws {
    let name = "a\"b\\c\nd=},é"
    let fold = MetricsFold()
    fold.record([record(1, route: name)])
    let page = try Page(PrometheusText.render(fold.snapshot, version: "1\"2"))
    #expect(page.sum("pointsman_attempts_total", ["route": name]) == 1)
    #expect(page.sum("pointsman_build_info", ["version": "1\"2"]) == 1)
  }

  @Test func theNumberOfSeriesIsBounded() throws {
    let fold = MetricsFold(seriesLimit: 10)
    fold.record((1...100).map { record($0, route: "r\($0)") })
    fold.record([record(101, route: "r1")])
    #expect(fold.snapshot.series.count == 11)
    let page = try Page(PrometheusText.render(fold.snapshot, version: "1"))
    #expect(page.sum("pointsman_attempts_total", ["route": "other"]) == 90)
    #expect(page.sum("pointsman_attempts_total", ["route": "r1"]) == 2)
  }

  @Test func samplesOfOneNameComeTogetherUnderOneHead() throws {
    let samples = ["x", "y", "x"].enumerated().map { index, name in
      Sample(name: name, help: "Help.", kind: .gauge, labels: [("index", "\(index)")], value: Double(index) + 0.5)
    }
    let text = PrometheusText.render(MetricsFold().snapshot, samples: samples, version: "1")
    #expect(
      text.hasSuffix(
        """
        # HELP x Help.
        # TYPE x gauge
        x{index="0"} 0.5
        x{index="2"} 2.5
        # HELP y Help.
        # TYPE y gauge
        y{index="1"} 1.5

        """))
    _ = try Page(text)
  }

  @Test func loopCountersAddUpOverTheLoops() throws {
    let loops = [LoopCounters(), LoopCounters()]
    for counter in LoopCounter.allCases { loops[0].add(counter, 2) }
    loops[1].add(.connectionsAccepted, 5)
    loops[1].add(.slowRounds)
    loops[1].add(.refused(status: 404), 3)
    loops[1].add(.refused(status: 418), 4)
    let samples = LoopCounters.samples(of: loops)
    let page = try Page(PrometheusText.render(MetricsFold().snapshot, samples: samples, version: "1"))
    #expect(page.sum("pointsman_connections") == 5)
    #expect(page.sum("pointsman_connections_total") == 7)
    #expect(page.sum("pointsman_slow_rounds_total") == 3)
    #expect(page.sum("pointsman_requests_refused_total", ["route": "unknown", "status": "404"]) == 5)
    #expect(page.sum("pointsman_requests_refused_total", ["status": "other"]) == 6)
    #expect(page.sum("pointsman_open_streams") == 0)
  }

  @Test(arguments: [
    (0.0, "0"), (1e15, "1000000000000000"), (0.1, "0.1"), (-2.5, "-2.5"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
    (.nan, "NaN"), (1e300, "1e+300"),
  ])
  func numbersAreWrittenAsTheFormatHasThem(value: Double, text: String) {
    #expect(PrometheusPage.number(value) == text)
  }
}
