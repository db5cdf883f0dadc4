import Foundation
import Testing

@testable import Wire

@Suite struct EventStreamFramerTests {
  struct Vector: Decodable, CustomTestStringConvertible {
    struct Event: Decodable {
      var data: String
      var isMultiLine: Bool?
    }
    var name: String
    var bytes: String
    var events: [Event]
    var unterminated: Event?

    var testDescription: String { name }

    var expected: WireProperties.Events {
      func event(_ event: Event) -> WireProperties.Events.Event {
        .init(data: Array(event.data.utf8), isMultiLine: event.isMultiLine ?? false)
      }
      return .init(
        events: events.map(event), unterminated: unterminated.map { [event($0)] } ?? [])
    }
  }

  static let vectors: [Vector] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/event-streams.json")
    do {
      return try JSONDecoder().decode([Vector].self, from: Data(contentsOf: file))
    } catch {
      Issue.record("the vector file cannot be read: \(error)")
      return []
    }
  }()

  @Test func `the vector file is there`() { #expect(Self.vectors.count > 25) }

  @Test(arguments: vectors) func `a vector gives its events, whole, byte by byte and in every two pieces`(
    _ vector: Vector
  ) {
    let bytes = Array(vector.bytes.utf8)
    #expect(WireProperties.frame(bytes, pieces: []) == vector.expected)
    #expect(WireProperties.frame(bytes, pieces: Array(0..<bytes.count)) == vector.expected)
    for cut in 0...bytes.count { #expect(WireProperties.frame(bytes, pieces: [cut]) == vector.expected) }
  }

  @Test func `100,000 random splits in three pieces give the same events`() {
    // All vectors that end cleanly, one behind the other; marks and half marks belong to the start of a stream.
    let joined = Self.vectors.filter {
      $0.unterminated == nil && $0.bytes.utf8.last == 0x0a && !$0.name.contains("byte order mark")
    }
    #expect(joined.count >= 20)
    let bytes = joined.flatMap { Array($0.bytes.utf8) }
    let whole = WireProperties.frame(bytes, pieces: [])
    #expect(whole.events == joined.flatMap { $0.expected.events })
    var random = SeededRandom(20)
    var differing = 0
    for _ in 0..<100_000 {
      let first = Int.random(in: 0...bytes.count, using: &random)
      let second = Int.random(in: first...bytes.count, using: &random)
      if WireProperties.frame(bytes, pieces: [first, second]) != whole { differing += 1 }
    }
    #expect(differing == 0)
  }

  @Test func `bytes that are not UTF-8 pass as they are`() {
    let bytes: [UInt8] = Array("data: ".utf8) + [0xff, 0xc0, 0x80] + Array("\n\n".utf8)
    for cut in 0...bytes.count {
      #expect(
        WireProperties.frame(bytes, pieces: [cut]).events == [.init(data: [0xff, 0xc0, 0x80], isMultiLine: false)])
    }
  }

  @Test func `an event at the limit passes and one above is an error, however it is cut`() {
    let fits = Array("data: 0123456789\ndata:abc\n\n".utf8)
    let limit = "data: 0123456789data:abc".utf8.count
    for cut in 0...fits.count {
      #expect(WireProperties.frame(fits, pieces: [cut], eventLimit: limit).error == nil)
      #expect(WireProperties.frame(fits, pieces: [cut], eventLimit: limit - 1).error == .eventTooLong(limit: limit - 1))
    }
  }

  @Test func `an event that never ends is cut at the limit`() {
    var framer = EventStreamFramer(eventLimit: 1 << 20)
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
    var fed = 0
    var error: FramingError?
    while error == nil, fed < 1 << 24 {
      do throws(FramingError) {
        try framer.feed(piece.span) { _, _ in true }
        fed += piece.count
      } catch let thrown {
        error = thrown
      }
    }
    #expect(error == .eventTooLong(limit: 1 << 20))
    #expect(fed == 1 << 20)
    #expect(framer.keptBytes <= 1 << 20)
  }

  @Test func `comments without end are not kept`() throws {
    var framer = EventStreamFramer(eventLimit: 64)
    let ping = Array(": OPENROUTER PROCESSING\n".utf8)
    for _ in 0..<1000 { try framer.feed(ping.span) { _, _ in true } }
    #expect(framer.keptBytes == 0)
  }

  @Test func `an event of 16 MiB passes in pieces`() throws {
    var framer = EventStreamFramer()
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
    var sizes: [Int] = []
    func feed(_ bytes: [UInt8]) throws {
      try framer.feed(bytes.span) { data, _ in
        sizes.append(data.count)
        return true
      }
    }
    try feed(Array("data: ".utf8))
    for _ in 0..<15 { try feed(piece) }
    try feed(Array("\n\ndata: y\n\n".utf8))
    #expect(sizes == [15 << 20, 1])
    #expect(framer.keptBytes == 0)
  }

  @Test func `stopping drops the rest of the bytes and only them`() throws {
    var framer = EventStreamFramer()
    var seen: [String] = []
    try framer.feed(Array("data: a\n\ndata: b\n\ndata: c".utf8).span) { data, _ in
      seen.append(String(decoding: Array(data), as: UTF8.self))
      return false
    }
    try framer.feed(Array("data: d\n\n".utf8).span) { data, _ in
      seen.append(String(decoding: Array(data), as: UTF8.self))
      return true
    }
    #expect(seen == ["a", "d"])
  }

  @Test func `random bytes from the alphabet of the format give the same events in all pieces`() {
    var random = SeededRandom(7)
    let alphabet = ["data", ":", " ", "\n", "\r", "\r\n", "x", "event", "id", "\u{feff}", "data: y\n"]
    for _ in 0..<3000 {
      let text = (0..<Int.random(in: 0...24, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "" }
      #expect(WireProperties.eventStream(Array(text.joined().utf8)) == nil, "\(text)")
    }
  }
}
