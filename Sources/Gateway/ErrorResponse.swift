import HTTP
import Loop
import Metering
import Relay
import Routing
import Wire

/// What the client sees on an error: the only place that knows statuses and error bodies.
///
/// The envelope is OpenAI's, `{"error":{"message","type","code","param"}}`, with OpenRouter's `metadata` beside them.
/// Under `/api/v1` the `code` is OpenRouter's number, elsewhere OpenAI's word. The reason and the next step are in
/// `message`, since that is all most clients show.
struct ErrorResponse {
  var status: Int
  /// OpenAI's `code`.
  var code: String
  /// OpenRouter's `metadata.error_type`.
  var errorType: String
  var message: String
  var param: String?
  var attempts: [FailedAttempt] = []
  var retryAfter: String?
  /// A JSON object that says of each candidate why it was turned away; empty when there is none.
  var rejections: [UInt8] = []
  var excludedBy: [String] = []
  /// `openrouter_metadata`; empty when the client did not ask for it.
  var choice: [UInt8] = []
  /// Further header lines, each with its CR LF.
  var fields = ""

  init(_ status: Int, _ code: String, _ errorType: String, _ message: String, param: String? = nil, fields: String = "")
  {
    self.status = status
    self.code = code
    self.errorType = errorType
    self.message = message
    self.param = param
    self.fields = fields
  }

  /// OpenAI's `type`, which follows from the status.
  var type: String {
    switch status {
    case 401: "authentication_error"
    case 403: "permission_error"
    case 404: "not_found_error"
    case 429: "rate_limit_error"
    case 500...: "server_error"
    default: "invalid_request_error"
    }
  }

  // MARK: - From what went wrong

  init(_ refusal: FramingRefusal) {
    self.init(refusal.status, "bad_request", "invalid_request", refusal.message.description)
    switch refusal.status {
    case 413: (code, errorType) = ("request_too_large", "payload_too_large")
    case 408: (code, errorType) = ("request_timeout", "timeout")
    case 503:
      (code, errorType) = ("overloaded", "provider_overloaded")
      retryAfter = "1"
    default: break
    }
  }

  /// Which bound there is no room under.
  enum Bound {
    case connections(Int)
    case completions(Int)
    case completionsOfKey(String, Int)
  }

  init(tooMany bound: Bound) {
    switch bound {
    case .connections(let limit):
      self.init(
        503, "overloaded", "provider_overloaded",
        "this router has \(limit) connections already, as many as listeners.limits.connections allows; "
          + "try again in a moment")
    case .completions(let limit):
      self.init(
        503, "overloaded", "provider_overloaded",
        "this router runs \(limit) completions already, as many as listeners.limits.streams allows; "
          + "try again in a moment")
    case .completionsOfKey(let key, let limit):
      self.init(
        429, "rate_limit_exceeded", "rate_limit_exceeded",
        "the key \(key) has \(limit) completions running, as many as keys.\(key).concurrency allows; "
          + "try again when one of them has ended")
    }
    retryAfter = "1"
  }

  init(_ error: RequestError) {
    self.init(400, Self.word(for: error.code), "invalid_request", error.message, param: error.param)
  }

  private static func word(for code: RequestError.Code) -> String {
    switch code {
    case .invalidJSON: "invalid_json"
    case .depthExceeded: "too_deep"
    case .tooManyKeys: "too_many_keys"
    case .duplicateKey: "duplicate_key"
    case .ambiguousKey: "ambiguous_key"
    case .missing: "missing_parameter"
    case .wrongType: "invalid_type"
    case .outOfRange: "out_of_range"
    case .tooLong: "too_long"
    }
  }

  init(_ error: UnknownName) {
    let list = "GET /v1/models lists those there are"
    switch error {
    case .model:
      self.init(
        404, "model_not_found", "not_found", "there is no route or model of that name here; \(list)", param: "model")
    case .variant:
      self.init(
        404, "model_not_found", "not_found",
        "the suffix behind the model's name is none of :nitro, :floor, :free, :exacto", param: "model")
    case .preset:
      self.init(
        404, "preset_not_found", "not_found", "there is no preset of that name; presets stand in routes.yaml",
        param: "preset")
    case .presetWithoutModel:
      self.init(
        400, "missing_parameter", "invalid_request",
        "this preset names no model: send one before it, as in MODEL@preset/NAME", param: "model")
    case .fallback:
      self.init(
        404, "model_not_found", "not_found", "a name in `models` is no route or model here; \(list)", param: "models")
    }
  }

  init(_ error: RouterError) {
    self.init(502, "provider_error", "provider_unavailable", error.message)
    attempts = error.attempts
    rejections = error.rejections
    excludedBy = error.excludedBy
    choice = error.choice
    switch error.code {
    case .rejectedByProvider(let status):
      self.status = status
      (code, errorType) = ("rejected_by_provider", status == 403 ? "permission_denied" : "invalid_request")
    case .noEndpoints:
      self.status = 404
      (code, errorType) = ("no_endpoints", "not_found")
    case .rateLimited:
      self.status = 429
      (code, errorType) = ("rate_limit_exceeded", "rate_limit_exceeded")
      retryAfter = Self.safeRetryAfter(error.retryAfter)
    case .overloaded:
      self.status = 503
      (code, errorType) = ("provider_overloaded", "provider_overloaded")
      retryAfter = Self.safeRetryAfter(error.retryAfter)
    case .emptyCompletion:
      code = "empty_completion"
    case .providerFailed, .streamBroken:
      break
    case .timedOut:
      self.status = 504
      (code, errorType) = ("provider_timeout", "timeout")
    case .unavailable:
      self.status = 503
      (code, errorType) = ("unavailable", "provider_overloaded")
      retryAfter = "1"
    }
  }

  /// A provider's `Retry-After` as it may be passed on: seconds up to a day, or a date; anything else says 1 second.
  private static func safeRetryAfter(_ text: String?) -> String {
    guard let text else { return "1" }
    if let seconds = Int(text) { return "\(min(max(seconds, 0), 86400))" }
    let isDate = text.utf8.count == 29 && text.hasSuffix(" GMT") && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
    return isDate ? text : "1"
  }

  // MARK: - Writing

  /// Answers the request with this error.
  func write(to connection: Connection, id: RecordID?) {
    let body = json(numericCode: Gateway.isOpenRouterMode(connection))
    connection.respond(
      status: status, contentType: "application/json",
      fields: { out in
        id?.appendFields(to: &out)
        if let retryAfter {
          out.append("Retry-After: ")
          out.append(retryAfter)
          out.append("\r\n")
        }
        out.append(fields)
      }, body: body.span)
  }

  /// The bytes of a whole response that ends its connection, for a client whose request is not read.
  var farewell: [UInt8] {
    let body = json(numericCode: false)
    let head =
      "HTTP/1.1 \(status) Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n"
      + "Retry-After: \(retryAfter ?? "1")\r\nConnection: close\r\n\r\n"
    return Array(head.utf8) + body
  }

  private func json(numericCode: Bool) -> [UInt8] {
    var out = Array(#"{"error":{"message":"#.utf8)
    out += JSONText.quoted(message)
    out += Array(#","type":"#.utf8) + JSONText.quoted(type)
    out += Array(#","code":"#.utf8) + (numericCode ? Array("\(status)".utf8) : JSONText.quoted(code))
    out += Array(#","param":"#.utf8) + (param.map { JSONText.quoted($0) } ?? Array("null".utf8))
    out += Array(#","metadata":{"error_type":"#.utf8) + JSONText.quoted(errorType)
    if let last = attempts.last {
      out += Array(#","provider_name":"#.utf8) + JSONText.quoted(last.provider)
      out += Array(#","previous_errors":["#.utf8)
      for (place, attempt) in attempts.suffix(FailedAttempt.toldLimit).enumerated() {
        if place > 0 { out.append(UInt8(ascii: ",")) }
        out += Array(#"{"provider":"#.utf8) + JSONText.quoted(attempt.provider)
        out += Array(#","code":"#.utf8) + JSONText.quoted(attempt.failure.name)
        out += Array(#","status":\#(attempt.status.map(String.init) ?? "null")}"#.utf8)
      }
      out.append(UInt8(ascii: "]"))
    }
    if rejections.count > 2 {
      // The members of the object that the explanation wrote.
      out.append(UInt8(ascii: ","))
      out += rejections.dropFirst().dropLast()
    }
    out.append(UInt8(ascii: "}"))
    if !excludedBy.isEmpty {
      let word = retryAfter == nil ? "constraint_filtered" : "capacity_exhausted"
      out += Array(#","availability":{"code":"\#(word)","retryable":\#(retryAfter != nil),"excluded_by":["#.utf8)
      for (place, code) in excludedBy.enumerated() {
        if place > 0 { out.append(UInt8(ascii: ",")) }
        out += JSONText.quoted(code)
      }
      out += Array("]}".utf8)
    }
    out.append(UInt8(ascii: "}"))
    if !choice.isEmpty { out += Array(#","openrouter_metadata":"#.utf8) + choice }
    out += Array("}\n".utf8)
    return out
  }
}
