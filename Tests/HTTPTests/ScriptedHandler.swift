import Loop

@testable import HTTP

/// A request as the server handed it over.
struct Received: Equatable {
  var method: RequestMethod
  var target: String
  var body: String
}

/// Answers with what it received, unless the test says otherwise.
final class ScriptedHandler: RequestHandler {
  var limit = 1 << 20
  /// Whole requests, in their order.
  private(set) var requests: [Received] = []
  private(set) var refusals: [FramingRefusal] = []
  /// How much of a body had come each time more had.
  private(set) var bodySizes: [Int] = []
  /// Answers when the head has come: true when it did.
  var onHead: (Connection) -> Bool = { _ in false }
  var onBody: (Connection) -> Void = { _ in }
  var onRequest: ((Connection, Received) -> Void)?

  /// Tickets that came back.
  private(set) var tickets: [Int] = []
  func takeBack(ticket: Int) { tickets.append(ticket) }

  func receivedHead(_ connection: Connection) -> Int? { onHead(connection) ? nil : limit }

  func receivedBody(_ connection: Connection) {
    bodySizes.append(connection.body.count)
    onBody(connection)
  }

  func receivedRequest(_ connection: Connection) {
    let request = Received(
      method: connection.head.method,
      target: connection.headBytes.withSpan { bytes in
        let path = connection.head.path
        let query = connection.head.query
        return Self.text(bytes, path) + (query.isEmpty ? "" : "?" + Self.text(bytes, query))
      }, body: String(decoding: connection.body.array(), as: UTF8.self))
    requests.append(request)
    if let onRequest { onRequest(connection, request) } else { Self.echo(connection, request) }
  }

  func refused(_ connection: Connection, _ refusal: FramingRefusal) {
    refusals.append(refusal)
    Self.answer(connection, refusal.status, "refused \(refusal.status)")
  }

  static func echo(_ connection: Connection, _ request: Received) {
    answer(connection, 200, "\(request.target)|\(request.body)")
  }

  static func answer(_ connection: Connection, _ status: Int, _ text: String) {
    connection.respond(status: status, contentType: "text/plain", body: Array(text.utf8).span)
  }

  private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    String(decoding: range.map { bytes[$0] }, as: UTF8.self)
  }
}

/// Notes what its connection tells it.
final class NotingExchange: Exchange {
  private(set) var left = 0
  private(set) var drained = 0
  var whenDrained: () -> Void = {}

  var whenLeft: () -> Void = {}

  func clientLeft() {
    left += 1
    whenLeft()
  }
  func outputDrained() {
    drained += 1
    whenDrained()
  }
}

/// A small generator with a seed (splitmix64), so that a failing run can be run again.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
