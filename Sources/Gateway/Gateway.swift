import Catalog
import HTTP
import Loop
import Metering
import Relay
import Routing
import Telemetry
import Wire

/// The public listener's requests on one loop: which endpoint of the API, whose key, one error shape for everything.
/// Belongs to one loop.
final class Gateway: RequestHandler, ErrorPresenter {
  /// A request that is being read. Belongs to one loop.
  private final class Incoming: Exchange {
    var scanner: RequestScanner
    let source: RequestSource
    let hop: Int
    let showsChoice: Bool
    /// Whether a cut answer may be carried on elsewhere; `nil`: as the route says.
    let resumes: Bool?

    init(kind: RequestKind, source: RequestSource, hop: Int, showsChoice: Bool, resumes: Bool?) {
      scanner = RequestScanner(kind: kind)
      self.source = source
      self.hop = hop
      self.showsChoice = showsChoice
      self.resumes = resumes
    }

    func clientLeft() {}
    func outputDrained() {}
  }

  /// Requests that have passed more routers than this are going in circles.
  private static let hopLimit = 3

  private let counters: LoopCounters
  let admission: Admission
  /// The counts of `admission`'s keys as this loop knows them.
  private(set) var keys: Admission.Keys
  private let address: String
  private var rules: ListenerRules
  private let authentication = ClientAuthentication()
  /// Set once both exist; the relay answers for everything behind admission.
  var relay: Relay?
  var isReady = true
  /// The loop is about to end: no completion may begin any more.
  var isStopping = false

  init(counters: LoopCounters, address: String, table: RouteTable, admission: Admission) {
    self.counters = counters
    self.admission = admission
    keys = admission.boundedKeys
    self.address = address
    rules = ListenerRules(address: address, allowed: table.listeners.public)
  }

  func adopt(_ table: RouteTable) {
    keys = admission.boundedKeys
    rules = ListenerRules(address: address, allowed: table.listeners.public)
  }

  // MARK: - Reading

  func receivedHead(_ connection: Connection) -> Int? {
    var limit: Int?
    let refusal: ErrorResponse? = connection.headBytes.withSpan { bytes in
      if let foreign = self.refusal(of: connection, bytes) { return foreign }
      let path = PublicPath(bytes, connection.head.path)
      if connection.isSurplus, path != .live, path != .ready {
        connection.lingerLimit = Self.unwantedBody
        return ErrorResponse(tooMany: .connections(admission.connections.limit))
      }
      switch path {
      case .inference(let kind): return admit(connection, bytes, kind, &limit)
      default: return get(connection, bytes, path)
      }
    }
    if let refusal { refuse(connection, refusal) }
    return limit
  }

  func receivedBody(_ connection: Connection) {
    guard let incoming = connection.exchange as? Incoming else { return }
    do throws(RequestError) {
      try connection.body.withSpan { body throws(RequestError) in try incoming.scanner.scan(body) }
    } catch {
      refuse(connection, ErrorResponse(error))
    }
  }

  func receivedRequest(_ connection: Connection) {
    guard let incoming = connection.exchange as? Incoming, let relay else { return }
    if isStopping { return refuse(connection, ErrorResponse(RouterError.routerStops)) }
    let request: RequestScan
    do throws(RequestError) {
      request = try connection.body.withSpan { body throws(RequestError) in try incoming.scanner.finish(body) }
    } catch {
      return refuse(connection, ErrorResponse(error))
    }
    let asked: AskedQuestion
    do throws(UnknownName) {
      asked = try relay.ask(request, from: incoming.source)
    } catch {
      return refuse(connection, ErrorResponse(error))
    }
    if let refusal = takePlace(connection, for: incoming.source.key) { return refuse(connection, refusal) }
    relay.begin(
      on: connection, request: request, asked: asked, key: incoming.source.key, hop: incoming.hop,
      showsChoice: incoming.showsChoice, resumes: incoming.resumes)
  }

  func refused(_ connection: Connection, _ refusal: FramingRefusal) {
    refuse(connection, ErrorResponse(refusal))
  }

  // MARK: - Admission

  /// What no path may have: a foreign host or origin, a request going in circles.
  private func refusal(of connection: Connection, _ bytes: Span<UInt8>) -> ErrorResponse? {
    guard rules.admits(host: bytes, connection.head.host) else {
      return ErrorResponse(
        421, "foreign_host", "permission_denied",
        "this listener does not answer to that Host; use its address, or add the name to listeners.public.hosts")
    }
    if let origin = connection.head.value("origin", in: bytes) {
      let text = Self.text(bytes, origin)
      guard rules.admits(origin: text) else {
        return ErrorResponse(
          403, "foreign_origin", "permission_denied",
          "pages of that Origin may not call this listener; add it to listeners.public.origins if they should")
      }
      connection.commonFields = Array("Access-Control-Allow-Origin: \(text)\r\nVary: Origin\r\n".utf8)
    }
    guard hop(connection, bytes) <= Self.hopLimit else {
      return ErrorResponse(
        508, "loop_detected", "invalid_request",
        "this request has passed \(Self.hopLimit) routers and come back; check that no provider's base_url leads here")
    }
    return nil
  }

  private func hop(_ connection: Connection, _ bytes: Span<UInt8>) -> Int {
    guard let value = connection.head.value("x-pointsman-hop", in: bytes) else {
      // The first router on the way sends its attempt alone.
      return connection.head.value("x-pointsman-attempt", in: bytes) == nil ? 0 : 1
    }
    let number = Int(Self.text(bytes, value)) ?? Self.hopLimit + 1
    return max(number, connection.head.count("x-pointsman-hop", in: bytes))
  }

  /// An inference request's head; sets the limit of its body when it may come.
  private func admit(
    _ connection: Connection, _ bytes: Span<UInt8>, _ kind: RequestKind, _ limit: inout Int?
  ) -> ErrorResponse? {
    guard let relay else { return nil }
    let head = connection.head
    if head.method == .options { return preflight(connection, "POST") }
    guard head.method == .post else {
      return ErrorResponse(
        405, "method_not_allowed", "invalid_request", "send this request as POST with a JSON body",
        fields: "Allow: POST, OPTIONS\r\n")
    }
    var source = RequestSource()
    switch authentication.check(head, bytes, relay.snapshot.table) {
    case .known(let name): source.key = name
    case .missing:
      return ErrorResponse(
        401, "missing_api_key", "authentication",
        "no API key: send the header `Authorization: Bearer <your key>`", fields: "WWW-Authenticate: Bearer\r\n")
    case .wrong:
      return ErrorResponse(
        401, "invalid_api_key", "authentication",
        "this API key is not known here; check it, or ask the administrator for one",
        fields: "WWW-Authenticate: Bearer\r\n")
    }
    if let refusal = lackOfRoom(for: source.key) {
      connection.lingerLimit = Self.unwantedBody
      return refusal
    }
    guard let type = head.value("content-type", in: bytes), Self.isJSON(bytes, type) else {
      return ErrorResponse(
        415, "unsupported_media_type", "invalid_request", "send the body as `Content-Type: application/json`")
    }
    if let encoding = head.value("content-encoding", in: bytes), !bytes.matches(encoding, "identity") {
      return ErrorResponse(
        415, "unsupported_content_encoding", "invalid_request", "send the body uncompressed, without Content-Encoding")
    }
    do throws(RequestError) {
      try source.read(head, bytes, wanted: relay.snapshot.table.ruleHeaders)
    } catch {
      return ErrorResponse(error)
    }
    var resumes: Bool?
    if let wish = head.value("x-pointsman-resume", in: bytes) {
      guard bytes.matches(wish, "on") || bytes.matches(wish, "off") else {
        return ErrorResponse(
          400, "invalid_header", "invalid_request",
          "X-Pointsman-Resume is `on` or `off`; leave it out for what the route says")
      }
      resumes = bytes.matches(wish, "on")
    }
    connection.exchange = Incoming(
      kind: kind, source: source, hop: hop(connection, bytes),
      showsChoice: head.value("x-openrouter-metadata", in: bytes).map { bytes.matches($0, "enabled") } ?? false,
      resumes: resumes)
    if !head.hasBody {
      return ErrorResponse(400, "missing_body", "invalid_request", "the request has no body; send a JSON object")
    }
    limit = relay.snapshot.table.listeners.maxBody
    return nil
  }

  /// Answers what a browser asks before it sends a page's request.
  private func preflight(_ connection: Connection, _ method: StaticString) -> ErrorResponse? {
    let nothing: [UInt8] = []
    connection.respond(
      status: 200, contentType: "text/plain; charset=utf-8",
      fields: { out in
        out.append("Allow: ")
        out.append(method)
        out.append(", OPTIONS\r\nAccess-Control-Allow-Methods: ")
        out.append(method)
        out.append("\r\nAccess-Control-Allow-Headers: authorization, content-type\r\nAccess-Control-Max-Age: 600\r\n")
      }, body: nothing.span)
    return nil
  }

  // MARK: - Discovery and health

  private func get(_ connection: Connection, _ bytes: Span<UInt8>, _ path: PublicPath) -> ErrorResponse? {
    guard path != .unknown else {
      return ErrorResponse(
        404, "unknown_url", "not_found", "there is nothing at this path; the API starts at /v1, for example /v1/models")
    }
    if connection.head.method == .options { return preflight(connection, "GET, HEAD") }
    guard connection.head.method == .get || connection.head.method == .head else {
      return ErrorResponse(
        405, "method_not_allowed", "invalid_request", "send this request as GET",
        fields: "Allow: GET, HEAD, OPTIONS\r\n")
    }
    if connection.head.hasBody {
      return ErrorResponse(400, "unexpected_body", "invalid_request", "a GET request here has no body")
    }
    guard let table = relay?.snapshot.table else { return nil }
    switch path {
    case .live:
      answer(connection, 200, Array("live\n".utf8))
    case .ready:
      answer(connection, isReady ? 200 : 503, Array((isReady ? "ready\n" : "draining\n").utf8))
    default:
      guard case .known = authentication.check(connection.head, bytes, table) else {
        return ErrorResponse(
          401, "invalid_api_key", "authentication",
          "send a key that is known here: `Authorization: Bearer <your key>`", fields: "WWW-Authenticate: Bearer\r\n")
      }
      guard case .model(let id) = path else {
        answer(connection, json: table.modelsListJSON)
        return nil
      }
      guard let model = table.modelJSON(named: id.span) else {
        return ErrorResponse(
          404, "model_not_found", "not_found", "there is no route or model of that name; GET /v1/models lists them")
      }
      answer(connection, json: model)
    }
    return nil
  }

  private func answer(_ connection: Connection, json: [UInt8]) {
    let id = relay?.nextID()
    connection.respond(
      status: 200, contentType: "application/json", fields: { out in id?.appendFields(to: &out) }, body: json.span)
  }

  private func answer(_ connection: Connection, _ status: Int, _ text: [UInt8]) {
    connection.respond(status: status, contentType: "text/plain; charset=utf-8", body: text.span)
  }

  // MARK: - Errors

  private func refuse(_ connection: Connection, _ response: ErrorResponse) {
    counters.add(.refused(status: response.status))
    connection.exchange = nil
    response.write(to: connection, id: relay?.nextID())
  }

  func respond(_ error: RouterError, on connection: Connection, completion: RecordID) {
    let response = ErrorResponse(error)
    // Nothing was asked of a provider, so the ledger knows nothing of it.
    if error.attempts.isEmpty { counters.add(.refused(status: response.status)) }
    response.write(to: connection, id: completion)
  }

  func inBand(_ error: RouterError) -> (code: Int, type: String) {
    let response = ErrorResponse(error)
    return (response.status, response.errorType)
  }

  /// Whether the request came by OpenRouter's paths.
  static func isOpenRouterMode(_ connection: Connection) -> Bool {
    let path = connection.head.path
    guard path.count >= 5 else { return false }
    return connection.headBytes.withSpan { bytes in
      bytes.count >= path.upperBound && bytes.equals(path.lowerBound..<path.lowerBound + 5, "/api/")
    }
  }

  private static func isJSON(_ bytes: Span<UInt8>, _ type: Range<Int>) -> Bool {
    let name = type.lowerBound..<min(type.lowerBound + 16, type.upperBound)
    guard bytes.matches(name, "application/json") else { return false }
    return name.upperBound == type.upperBound || [0x3b, 0x20, 0x09].contains(bytes[name.upperBound])
  }

  private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    bytes.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}
