/// What a provider said about its failure, in any of the shapes that are in use:
/// `{"error":{"message","type","code"}}`, `{"error":"…"}`, `{"message":"…"}`, `{"detail":…}` with FastAPI's list, an
/// array around one of these, or plain text. Any bytes may be given.
public struct ProviderError: Sendable, Equatable {
  /// What the failure means for choosing another endpoint.
  public enum Kind: Sendable {
    /// The request is longer than the model can take.
    case contextLength
    /// The provider refuses the content.
    case contentFilter
    /// The account's money or quota is used up; waiting does not help.
    case quota
    case other
  }

  /// How many characters of a message are kept.
  public static let messageLimit = 500
  private static let depthLimit = 16
  /// How far into a message a time to wait is looked for, in bytes.
  private static let hintLimit = 4096

  /// The message on one line without control characters; nil when there is none.
  public internal(set) var message: String?
  public internal(set) var code: String?
  public internal(set) var type: String?
  public internal(set) var kind = Kind.other
  /// When the provider wants to be asked again, in nanoseconds from now, at most a day: the `retryDelay` of Google's
  /// `RetryInfo`, or a time in the message ("Please try again in 1.5s"); the later of the two. `nil` when it says
  /// nothing.
  public internal(set) var retryDelay: UInt64?

  /// Reads an error body, or the data of an event that holds an error.
  public static func scan(_ body: Span<UInt8>) -> ProviderError {
    body.withJSONBytes { bytes in
      var error = ProviderError()
      let first = bytes.blankEnd(from: 0)
      guard first < bytes.count else { return error }
      switch bytes[first] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        // A body that was cut or is malformed further on still gives what came before.
        var cursor = JSONCursor(bytes, position: first, depthLimit: depthLimit)
        try? error.read(&cursor, levels: 4)
      case UInt8(ascii: "<"): break
      default:
        error.message = text(bytes, first..<bytes.count, isEscaped: false)
        error.note(delay: RetryHint.message((first..<bytes.count).prefix(hintLimit).map { bytes[$0] }))
      }
      error.kind = error.classified
      return error
    }
  }

  /// Reads a value that is, holds or lists an error.
  private mutating func read(_ cursor: inout JSONCursor, levels: Int) throws(JSONFault) {
    let opening = try cursor.peek()
    if opening == UInt8(ascii: "{"), levels > 0 {
      guard try cursor.openObject() else { return }
      repeat {
        let key = try cursor.key()
        if cursor.matches(key, "error") || cursor.matches(key, "detail") || cursor.matches(key, "errors") {
          try read(&cursor, levels: levels - 1)
        } else if cursor.matches(key, "message") || cursor.matches(key, "msg") {
          try read(&cursor, levels: 0)
        } else if cursor.matches(key, "code") {
          code = try word(&cursor) ?? code
        } else if cursor.matches(key, "type") {
          type = try word(&cursor) ?? type
        } else if cursor.matches(key, "details") {
          try readDetails(&cursor, levels: 2)
        } else {
          _ = try cursor.value()
        }
      } while try cursor.hasNextMember()
    } else if opening == UInt8(ascii: "["), levels > 0 {
      guard try cursor.openArray() else { return }
      var isFirst = true
      repeat {
        if isFirst { try read(&cursor, levels: levels - 1) } else { _ = try cursor.value() }
        isFirst = false
      } while try cursor.hasNextElement()
    } else {
      let (kind, range) = try cursor.value()
      guard kind == .string, range.count > 2, message == nil else { return }
      let inside = range.lowerBound + 1..<range.upperBound - 1
      message = Self.text(cursor.bytes, inside, isEscaped: true)
      note(delay: RetryHint.message(Array(JSONUnescaped(cursor.bytes, inside).prefix(Self.hintLimit))))
    }
  }

  /// Reads what stands beside a message: Anthropic's object with an `error_code`, or Google's list of objects, of which
  /// one may have a `retryDelay`.
  private mutating func readDetails(_ cursor: inout JSONCursor, levels: Int) throws(JSONFault) {
    let opening = try cursor.peek()
    if opening == UInt8(ascii: "["), levels > 1 {
      guard try cursor.openArray() else { return }
      repeat { try readDetails(&cursor, levels: levels - 1) } while try cursor.hasNextElement()
    } else if opening == UInt8(ascii: "{"), levels > 0 {
      guard try cursor.openObject() else { return }
      repeat {
        let key = try cursor.key()
        if cursor.matches(key, "error_code") {
          let word = try word(&cursor)
          code = code ?? word
        } else if cursor.matches(key, "retryDelay") {
          note(delay: try word(&cursor).flatMap { RetryHint.duration(Array($0.utf8)) })
        } else {
          _ = try cursor.value()
        }
      } while try cursor.hasNextMember()
    } else {
      _ = try cursor.value()
    }
  }

  private mutating func note(delay: UInt64?) {
    guard let delay else { return }
    retryDelay = max(retryDelay ?? 0, delay)
  }

  /// A text or number of at most 100 characters.
  private func word(_ cursor: inout JSONCursor) throws(JSONFault) -> String? {
    let (kind, range) = try cursor.value()
    switch kind {
    case .string where range.count > 2:
      let text = Self.text(cursor.bytes, range.lowerBound + 1..<range.upperBound - 1, isEscaped: true)
      return text.map { String(String.UnicodeScalarView($0.unicodeScalars.prefix(100))) }
    case .number where range.count <= 20: return Self.text(cursor.bytes, range, isEscaped: false)
    default: return nil
    }
  }

  /// The first characters of a text, on one line.
  private static func text(_ bytes: JSONBytes, _ range: Range<Int>, isEscaped: Bool) -> String? {
    var raw: [UInt8] = []
    // Four bytes a character at most; some more, because control characters fall away.
    let limit = messageLimit * 6
    if isEscaped {
      raw = Array(JSONUnescaped(bytes, range).prefix(limit))
    } else {
      raw = range.prefix(limit).map { bytes[$0] }
    }
    var scalars = String.UnicodeScalarView()
    var count = 0
    for scalar in String(decoding: raw, as: UTF8.self).unicodeScalars where count < messageLimit {
      switch scalar.value {
      case 0x09, 0x0a, 0x0d, 0x2028, 0x2029: scalars.append(" ")
      case 0..<0x20, 0x7f..<0xa0: continue
      default: scalars.append(scalar)
      }
      count += 1
    }
    return scalars.isEmpty ? nil : String(scalars)
  }

  /// Whether it speaks of the model that was asked for, not of the key.
  public var isAboutModel: Bool {
    if code?.lowercased().contains("model") == true { return true }
    let words = message?.lowercased() ?? ""
    return ["access to model", "access to the model", "model not found", "model does not exist", "use this model"]
      .contains { words.contains($0) }
  }

  /// Whether money would suffice for a smaller request (OpenRouter: "requires more credits, or fewer max_tokens").
  public var isAboutPrice: Bool {
    let words = message?.lowercased() ?? ""
    return words.contains("max_tokens") || words.contains("can only afford")
  }

  /// The HTTP status, 400 to 599, that its code or type names or means; nil when they tell none. It is for errors inside
  /// a response of status 200.
  public var status: Int? {
    let words = [code, type].compactMap { $0?.lowercased() }
    if let number = words.lazy.compactMap({ Int($0) }).first(where: { (400..<600).contains($0) }) { return number }
    for (part, status) in Self.statuses where words.contains(where: { $0.contains(part) }) { return status }
    return nil
  }

  /// Parts of the words that OpenAI, OpenRouter and their likes use.
  private static let statuses = [
    ("rate_limit", 429), ("too_many_requests", 429), ("insufficient_quota", 402), ("payment_required", 402),
    ("context_length", 400), ("content_filter", 400), ("invalid_api_key", 401), ("authentication", 401),
    ("permission", 403), ("not_found", 404), ("invalid_request", 400), ("badrequest", 400), ("bad_request", 400),
  ]

  private var classified: Kind {
    let words = [code, type, message].compactMap { $0?.lowercased() }
    func says(_ needles: String...) -> Bool { words.contains { word in needles.contains { word.contains($0) } } }
    // Google says of a limit per minute too that the quota is exceeded, and when to come back.
    func exceedsQuota() -> Bool { retryDelay == nil && says("exceeded your current quota", "billing") }
    if says(
      "context_length", "context length", "context window", "maximum context", "exceed_context_size", "context size",
      "prompt is too long", "input is too long", "too many tokens", "string_too_long", "token_limit_exceeded")
    {
      return .contextLength
    }
    if says(
      "content_filter", "content filter", "content_policy", "content policy", "moderation", "responsible ai",
      "safety system", "flagged")
    {
      return .contentFilter
    }
    if says(
      "insufficient_quota", "insufficient quota", "insufficient_balance", "insufficient balance",
      "insufficient credit", "payment_required", "billing_error", "spend_limit", "spend limit", "more credits",
      "credit_balance", "credit balance", "api usage limits") || exceedsQuota()
    {
      return .quota
    }
    return .other
  }
}
