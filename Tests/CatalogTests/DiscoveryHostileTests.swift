import Testing

@testable import Catalog

@Suite("Discovery: lists that mean no good")
struct DiscoveryHostileTests {
  @Test("Good entries of a hostile list are used, and every bad one is named")
  func hostile() throws {
    let reading = try Reading(fixture: "hostile")
    #expect(try reading.model("good/first").price == Price(input: 1_000_000, output: 2_000_000))
    #expect(try reading.model("good/last").price == Price(input: 1_000_000_000_000, output: 0))
    #expect(reading.models.filter { $0.price != nil }.count == 2)
    for id in ["nan", "bare-nan", "negative", "dear", "exponent", "long", "type", "typed"] {
      #expect(try reading.model("bad/\(id)").price == nil, "\(id)")
      #expect(reading.mentions("\"bad/\(id)\"", "price"), "\(id) \(reading.mistakes)")
    }
    #expect(try reading.model("bad/bare-nan").context == 1_000)
    let huge = try reading.model("bad/huge")
    #expect(huge.context == nil && huge.maxOutput == nil && huge.created == 0)
    #expect(try reading.model("bad/type").traits.retains == nil)
    for (place, reason) in [
      (9, "deeper than 64"), (10, "control characters"), (11, "not text"), (12, "longer than 256"), (13, "empty"),
      (14, "not text"), (15, "there is no id"), (16, "not an object"), (17, "not an object"), (22, "no JSON"),
      (25, "name is not text"), (26, "the first is used"),
    ] {
      #expect(reading.mentions("data[\(place)]", reason), "\(place) \(reading.mistakes)")
    }
    #expect(reading.mistakes.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 } && $0.count < 500 })
  }

  @Test("Of a million entries ten thousand are used, and it is said how many are not")
  func million() {
    var body = Array(#"{"data":["#.utf8)
    for place in 0..<1_000_000 {
      if place > 0 { body.append(UInt8(ascii: ",")) }
      // Every other entry of the first ones is bad.
      body += (place % 2 == 1 && place < 1_000 ? "{\"id\":\(place)}" : "{\"id\":\"m\(place)\"}").utf8
    }
    body += "]}".utf8
    let clock = ContinuousClock()
    let start = clock.now
    let reading = Reading(body)
    let took = clock.now - start
    #expect(reading.models.count == 10_000)
    #expect(reading.models.last?.id == "m10499")
    #expect(reading.mentions("the list is too long: its last 989500 entries are not used"))
    #expect(reading.mistakes.count == 101)
    #expect(reading.mistakes.last == "401 more mistakes")
    #expect(took < .seconds(60), "\(took)")
  }

  @Test("A million bad entries are a hundred lines and two numbers")
  func millionBad() {
    let body = Array((#"{"data":["# + Array(repeating: "{}", count: 1_000_000).joined(separator: ",") + "]}").utf8)
    let reading = Reading(body)
    #expect(reading.models.isEmpty)
    #expect(reading.mistakes.count == 101)
    #expect(reading.mistakes.first == "the list is too long: its last 900000 entries are not used")
    #expect(reading.mistakes.last == "99901 more mistakes")
  }

  @Test("Of an entry with too many values nothing is kept, and the next one is used")
  func largeEntry() {
    let many = Array(repeating: "0", count: 1_000_000).joined(separator: ",")
    let reading = Reading(#"{"data":[{"id":"large","x":[\#(many)]},{"id":"next"}]}"#)
    #expect(reading.models.map(\.id) == ["next"])
    #expect(reading.mistakes == ["data[0]: more than 20000 values"])
  }

  @Test("Brackets a million deep are passed over without recursion")
  func deep() {
    let open = String(repeating: "[", count: 1_000_000), close = String(repeating: "]", count: 1_000_000)
    let reading = Reading(#"{"deep":\#(open)\#(close),"data":[{"id":"a","x":\#(open)\#(close)},{"id":"b"}]}"#)
    #expect(reading.models.map(\.id) == ["b"])
    #expect(reading.mentions("data[0]", "deeper than 64"))
    #expect(Reading(#"{"data":\#(open)"#).models.isEmpty)
    let nots = String(repeating: #"{"not":"#, count: 1_000) + "7" + String(repeating: "}", count: 1_000)
    #expect(Reading(#"{"data":[{"id":"a","x":\#(nots)}]}"#).models.isEmpty)
  }

  @Test("What is behind the most bytes is not read, and that is said")
  func longBody() {
    let body = Array(#"{"data":[{"id":"a"},{"id":"b","x":"long"},{"id":"c"}]}"#.utf8)
    var reading = ListReading(format: .auto, now: newYear, staleAt: newYear)
    reading.read(body, mostBytes: 35)
    #expect(reading.models.map(\.id) == ["a"])
    #expect(reading.mistakes.all.contains("the list has \(body.count) bytes: only the first 35 are read"))
    #expect(reading.mistakes.all.contains { $0.contains("breaks off at byte 35") })
    #expect(ProviderList.mostBytes == 67_108_864)
  }

  @Test("A list that breaks off anywhere gives what was whole before", arguments: listFixtures)
  func truncated(_ name: String) throws {
    let body = try listFixture(name)
    let whole = Reading(body)
    for length in 0..<body.count {
      let reading = Reading(Array(body[..<length]))
      guard reading.models.count <= whole.models.count else {
        Issue.record("more models from \(length) bytes than from all")
        return
      }
      #expect(reading.models == Array(whole.models.prefix(reading.models.count)))
      if reading.models.count < whole.models.count { #expect(!reading.mistakes.isEmpty, "\(length)") }
    }
  }

  @Test("No change of any bytes leads to a trap, to a price out of range or to an unusable id", arguments: listFixtures)
  func mutated(_ name: String) throws {
    let body = try listFixture(name)
    var random = SeededBytes(seed: FNV1a.hash(name))
    let pieces = [
      "\"", "{", "}", "[", "]", ",", ":", "\\", "-", "e9", "9999999999", "null", "NaN", "\\u", "\u{0}", "1",
    ]
    .map { Array($0.utf8) }
    for round in 0..<1_200 {
      var changed = body
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let place = Int.random(in: 0..<changed.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: changed[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: changed[place] = UInt8.random(in: 0...255, using: &random)
        case 2: changed.remove(at: place)
        default: changed.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: place)
        }
      }
      let format = DiscoveryFormat.allCases.randomElement(using: &random) ?? .auto
      let reading = Reading(changed, Bool.random(using: &random) ? .auto : format)
      for model in reading.models {
        let prices =
          [model.price?.input, model.price?.output, model.price?.cachedInput, model.price?.cacheWrite]
          + model.traits.priceOverrides.flatMap { [$0.input, $0.output, $0.cachedInput, $0.cacheWrite] }
        guard prices.allSatisfy({ (0...1_000_000_000_000).contains($0 ?? 0) }), model.context ?? 1 > 0,
          model.maxOutput ?? 1 > 0, model.traits.concurrency ?? 1 > 0, model.traits.priceOverrides.count <= 32,
          ListReading.isUsableID(model.id), (model.price == nil) == (model.traits.priceStaleAt == nil)
        else {
          Issue.record("round \(round): \(model)")
          return
        }
      }
      #expect(reading.mistakes.count <= 101)
    }
  }

  @Test("A time to live without end is one")
  func timeToLive() {
    let body = Array(#"{"data":[{"id":"a","pricing":{"prompt":"0","completion":"0"}}]}"#.utf8)
    let forever = ProviderList.read(body, format: .auto, now: newYear, timeToLive: .max)
    #expect(forever.models.first?.traits.priceStaleAt == .max)
    let never = ProviderList.read(body, format: .auto, now: newYear, timeToLive: .min)
    #expect(never.models.first?.traits.priceStaleAt == newYear)
  }
}
