import CAllocations
import Testing

/// Allocations of the loop's thread per request and per event: counts, which do not depend on the machine. What a change
/// adds here is felt under load.
@Suite(.serialized) struct RequestAllocationTests {
  /// Averages over many requests on a warm connection.
  struct Average {
    var own: Double
    var byCurl: Double
    var leaked: Double
  }

  static func measure(_ loop: CountedLoop, model: String, stream: Bool, end: String, events: Int) throws -> Average {
    let connection = try KeptConnection(port: loop.port)
    let request = KeptConnection.request(model: model, stream: stream)
    for _ in 0..<50 { try connection.exchange(request, end: end, events: events) }
    let before = loop.counts
    let requests = 200
    for _ in 0..<requests { try connection.exchange(request, end: end, events: events) }
    let after = loop.counts
    let all = Double(after.allocations - before.allocations) / Double(requests)
    let curl = Double(after.by_curl - before.by_curl) / Double(requests)
    let freed = Double(after.frees - before.frees) / Double(requests)
    return Average(own: all - curl, byCurl: curl, leaked: all - freed)
  }

  @Test(.enabled(if: allocations_are_counted())) func `a request and an event allocate no more than they did`() throws {
    let loop = try CountedLoop(models: ["sim-tokens-8", "sim-tokens-68"])
    let whole = try Self.measure(loop, model: "sim-tokens-8", stream: false, end: "}", events: 0)
    // Role, tokens, finish with the usage, [DONE].
    let end = "data: [DONE]\n\n\r\n0\r\n\r\n"
    let short = try Self.measure(loop, model: "sim-tokens-8", stream: true, end: end, events: 8 + 3)
    let long = try Self.measure(loop, model: "sim-tokens-68", stream: true, end: end, events: 68 + 3)
    let perEvent = (long.own + long.byCurl - short.own - short.byCurl) / 60
    print(
      "allocations: unstreamed \(whole.own) + libcurl's \(whole.byCurl), streamed \(short.own) + \(short.byCurl), "
        + "per event \(perEvent)")
    #expect(whole.own <= 32)
    #expect(whole.byCurl <= 45)
    #expect(short.own <= 38)
    #expect(perEvent <= 0.35)
    // What a request takes it gives back.
    #expect(abs(whole.leaked) < 1)
    #expect(abs(long.leaked) < 1)
  }
}
