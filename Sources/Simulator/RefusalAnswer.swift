#if canImport(Glibc)
  import Glibc
#endif

/// The answer of a provider that refuses: status, header fields and body.
struct RefusalAnswer {
  var status: Int
  var contentType = "application/json"
  /// Whole lines.
  var fields = ""
  var body: String

  init(_ refusal: ModelBehaviour.Refusal, unixSeconds: Int64) {
    status = refusal.status
    body = Self.envelope(status, "the model's name asks for this refusal", type: Self.type(status), code: nil)
    switch refusal.form {
    case .plain: break
    case .seconds(let seconds): fields = "Retry-After: \(seconds)\r\n"
    case .milliseconds(let milliseconds): fields = "retry-after-ms: \(milliseconds)\r\n"
    case .date(let ahead): fields = "Retry-After: \(Self.date(unixSeconds + Int64(ahead)))\r\n"
    case .past: fields = "Retry-After: -1\r\n"
    case .garbage: fields = "Retry-After: soon\r\n"
    case .reset(let seconds):
      fields = "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: \(seconds)s\r\n"
    case .body(let seconds):
      body = """
        {"error":{"code":429,"message":"Simulated: quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":\
        "type.googleapis.com/google.rpc.RetryInfo","retryDelay":"\(seconds)s"}]}}
        """
    case .message(let milliseconds):
      let fraction = String(milliseconds % 1000 + 1000).dropFirst()
      body = Self.envelope(
        status, "Rate limit reached. Please try again in \(milliseconds / 1000).\(fraction)s.", type: "tokens",
        code: "rate_limit_exceeded")
    case .spend:
      body = Self.envelope(
        status, "the spending limit is reached", type: "insufficient_quota", code: "insufficient_quota")
    case .context:
      body = Self.envelope(
        status, "the maximum context length is 16 tokens", type: "invalid_request_error",
        code: "context_length_exceeded")
    case .filter:
      body = Self.envelope(
        status, "the prompt was filtered", type: "invalid_request_error", code: "content_filter")
    case .html:
      contentType = "text/html"
      body = "<html><head><title>502 Bad Gateway</title></head><body><h1>Simulated bad gateway</h1></body></html>\n"
    case .redirect:
      fields = "Location: ?redirected=1\r\n"
      body = ""
    }
  }

  /// OpenAI's error envelope. The message says that it is simulated.
  static func envelope(_ status: Int, _ message: String, type: String, code: String?) -> String {
    let code = code.map { "\"\($0)\"" } ?? "\(status)"
    return "{\"error\":{\"message\":\"Simulated: \(message)\",\"type\":\"\(type)\",\"param\":null,\"code\":\(code)}}"
  }

  private static func type(_ status: Int) -> String {
    switch status {
    case 401: "authentication_error"
    case 402: "insufficient_quota"
    case 403: "permission_error"
    case 404: "not_found_error"
    case 429: "rate_limit_exceeded"
    case 529: "overloaded_error"
    case 500...: "server_error"
    default: "invalid_request_error"
    }
  }

  /// The IMF-fixdate of RFC 9110 section 5.6.7.
  private static func date(_ unixSeconds: Int64) -> String {
    var seconds = time_t(unixSeconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { room in
      let count = strftime(room.baseAddress, room.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
      return String(decoding: room.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
