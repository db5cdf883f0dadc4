/// The request methods that the server tells apart.
public enum RequestMethod: Sendable, Equatable {
  case get, head, post, put, patch, delete, options, other
}

/// Why a head or a body framing was refused. The connection is closed after the answer.
public struct FramingRefusal: Error, Equatable, Sendable {
  /// The HTTP status to answer with.
  public let status: Int
  /// What is wrong, for the client.
  public let message: StaticString

  public init(_ status: Int, _ message: StaticString) {
    self.status = status
    self.message = message
  }

  public static func == (left: FramingRefusal, right: FramingRefusal) -> Bool {
    left.status == right.status && left.message.description == right.message.description
  }
}

/// A parsed request head: ranges into its bytes, plus what framing needs.
///
/// The rules are RFC 9112's, and where that leaves a choice the strict one: what two readers could understand
/// differently is refused, so that nothing can be smuggled past the router.
public struct RequestHead: Sendable {
  /// One header field: ranges of its name and its value (without surrounding white space) in the head's bytes.
  public struct Field: Sendable {
    public let name: Range<Int>
    public let value: Range<Int>
  }

  public static let lineLimit = 8 * 1024
  public static let sizeLimit = 64 * 1024
  public static let fieldLimit = 100

  public private(set) var method = RequestMethod.other
  /// The path in the head's bytes: starts with a slash, without the query.
  public private(set) var path = 0..<0
  /// The query behind `?`, empty when there is none.
  public private(set) var query = 0..<0
  public private(set) var fields: ContiguousArray<Field> = []
  /// The value of the one `Host` field.
  public private(set) var host = 0..<0
  /// The body's length when `Content-Length` gives one.
  public private(set) var contentLength: Int?
  public private(set) var isChunked = false
  public private(set) var keepsAlive = true
  public private(set) var expectsContinue = false
  public private(set) var isHTTP10 = false

  public init() {}

  /// Whether a body follows.
  public var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

  /// Forgets the request, so that no range is left that points into bytes that are gone.
  public mutating func clear() {
    method = .other
    path = 0..<0
    query = 0..<0
    fields.removeAll(keepingCapacity: true)
    host = 0..<0
    contentLength = nil
    isChunked = false
    keepsAlive = true
    expectsContinue = false
    isHTTP10 = false
    authority = 0..<0
  }

  /// Parses the bytes of one whole head, the empty line included.
  public mutating func parse(_ bytes: Span<UInt8>) throws(FramingRefusal) {
    clear()
    var at = try parseRequestLine(bytes)
    var hostCount = 0
    var hasTransferEncoding = false
    var hasContentType = false
    var wantsClose = false
    var wantsKeepAlive = false
    while true {
      guard at < bytes.count else { throw FramingRefusal(400, "the request's head does not end in an empty line") }
      if bytes[at] == Byte.carriageReturn {
        guard at + 2 == bytes.count, bytes[at + 1] == Byte.lineFeed else {
          throw FramingRefusal(400, "a carriage return stands alone in the request's head")
        }
        break
      }
      let field = try Self.parseField(bytes, at: &at)
      if fields.count == Self.fieldLimit { throw FramingRefusal(431, "more than 100 header fields; send fewer") }
      fields.append(field)
      switch field.name.count {
      case 4 where bytes.matches(field.name, "host"):
        hostCount += 1
        host = field.value
      case 12 where bytes.matches(field.name, "content-type"):
        guard !hasContentType else { throw FramingRefusal(400, "Content-Type was sent twice") }
        hasContentType = true
      case 14 where bytes.matches(field.name, "content-length"):
        guard contentLength == nil else { throw FramingRefusal(400, "Content-Length was sent twice") }
        contentLength = try Self.parseLength(bytes, field.value)
      case 17 where bytes.matches(field.name, "transfer-encoding"):
        guard !hasTransferEncoding, bytes.matches(field.value, "chunked") else {
          throw FramingRefusal(400, "the only Transfer-Encoding understood is one that says: chunked")
        }
        hasTransferEncoding = true
      case 10 where bytes.matches(field.name, "connection"):
        bytes.forEachToken(field.value) { token in
          if bytes.matches(token, "close") { wantsClose = true }
          if bytes.matches(token, "keep-alive") { wantsKeepAlive = true }
        }
      case 6 where bytes.matches(field.name, "expect"):
        guard bytes.matches(field.value, "100-continue") else {
          throw FramingRefusal(417, "the only expectation understood is 100-continue")
        }
        expectsContinue = true
      default:
        break
      }
    }
    guard hostCount == 1, Self.isAuthority(bytes, host) else {
      throw FramingRefusal(
        400, "exactly one Host field is needed, and it must be a name or address with an optional port")
    }
    if hasTransferEncoding {
      guard contentLength == nil else {
        throw FramingRefusal(400, "Content-Length and Transfer-Encoding together are ambiguous")
      }
      guard !isHTTP10 else { throw FramingRefusal(400, "HTTP/1.0 has no Transfer-Encoding") }
      isChunked = true
    }
    keepsAlive = isHTTP10 ? wantsKeepAlive && !wantsClose : !wantsClose
    if isHTTP10 { expectsContinue = false }
    try checkAuthority(bytes)
  }

  /// The first field of a (lower-case) name.
  public func value(_ name: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
    for field in fields where field.name.count == name.utf8CodeUnitCount && bytes.matches(field.name, name) {
      return field.value
    }
    return nil
  }

  /// How many fields have a (lower-case) name.
  public func count(_ name: StaticString, in bytes: Span<UInt8>) -> Int {
    fields.reduce(0) { $0 + (bytes.matches($1.name, name) ? 1 : 0) }
  }

  // MARK: - Request line

  /// The authority of an absolute-form target; empty for the usual origin form.
  private var authority = 0..<0

  private mutating func parseRequestLine(_ bytes: Span<UInt8>) throws(FramingRefusal) -> Int {
    guard let lineEnd = bytes.firstIndex(of: Byte.carriageReturn, from: 0), lineEnd + 1 < bytes.count,
      bytes[lineEnd + 1] == Byte.lineFeed
    else { throw FramingRefusal(400, "the request line does not end in CR LF") }
    if lineEnd > Self.lineLimit { throw FramingRefusal(414, "the request line is longer than 8 KiB") }
    guard let methodEnd = bytes.firstIndex(of: Byte.space, from: 0), methodEnd > 0, methodEnd < lineEnd,
      let targetEnd = bytes.firstIndex(of: Byte.space, from: methodEnd + 1), targetEnd < lineEnd
    else { throw FramingRefusal(400, "the request line is not: METHOD target HTTP/1.1") }
    for index in 0..<methodEnd where !Byte.isToken(bytes[index]) {
      throw FramingRefusal(400, "the method has a character that no method may have")
    }
    let version = targetEnd + 1..<lineEnd
    if bytes.equals(version, "HTTP/1.1") {
      isHTTP10 = false
    } else if bytes.equals(version, "HTTP/1.0") {
      isHTTP10 = true
    } else if version.count == 8, bytes.equals(version.lowerBound..<version.lowerBound + 5, "HTTP/"),
      bytes[version.upperBound - 3] &- 48 <= 9, bytes[version.upperBound - 2] == Byte.dot,
      bytes[version.upperBound - 1] &- 48 <= 9
    {
      throw FramingRefusal(505, "only HTTP/1.1 and HTTP/1.0 are served here")
    } else {
      throw FramingRefusal(400, "the request line does not end in a protocol version")
    }
    method = Self.method(bytes, 0..<methodEnd)
    try parseTarget(bytes, methodEnd + 1..<targetEnd)
    return lineEnd + 2
  }

  private static func method(_ bytes: Span<UInt8>, _ range: Range<Int>) -> RequestMethod {
    if bytes.equals(range, "POST") { return .post }
    if bytes.equals(range, "GET") { return .get }
    if bytes.equals(range, "HEAD") { return .head }
    if bytes.equals(range, "OPTIONS") { return .options }
    if bytes.equals(range, "PUT") { return .put }
    if bytes.equals(range, "PATCH") { return .patch }
    if bytes.equals(range, "DELETE") { return .delete }
    return .other
  }

  private mutating func parseTarget(_ bytes: Span<UInt8>, _ target: Range<Int>) throws(FramingRefusal) {
    for index in target where bytes[index] <= 0x20 || bytes[index] >= 0x7f || bytes[index] == UInt8(ascii: "#") {
      throw FramingRefusal(400, "the request target has a character that must be percent-encoded")
    }
    guard let first = target.first else { throw FramingRefusal(400, "the request target is empty") }
    var start = first
    authority = 0..<0
    if bytes[first] == UInt8(ascii: "*"), target.count == 1, method == .options {
      path = target
      query = target.upperBound..<target.upperBound
      return
    }
    if bytes[first] != Byte.slash {
      let scheme = first..<min(first + 7, target.upperBound)
      guard bytes.matches(scheme, "http://") else {
        throw FramingRefusal(400, "the request target must be a path that starts with a slash")
      }
      start =
        bytes.firstIndex(of: Byte.slash, from: scheme.upperBound).map { min($0, target.upperBound) }
        ?? target.upperBound
      authority = scheme.upperBound..<start
      guard start < target.upperBound, !authority.isEmpty else {
        throw FramingRefusal(400, "the request target has no path")
      }
    }
    let end =
      bytes.firstIndex(of: UInt8(ascii: "?"), from: start).map { min($0, target.upperBound) } ?? target.upperBound
    path = start..<end
    query = min(end + 1, target.upperBound)..<target.upperBound
  }

  /// `uri-host [":" port]` (RFC 9110 section 7.2): letters, digits and `-._~%`, or an IPv6 literal in brackets.
  private static func isAuthority(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard let first = range.first else { return false }
    var at = first
    if bytes[first] == UInt8(ascii: "[") {
      at += 1
      while at < range.upperBound,
        Byte.hexadecimal(bytes[at]) != nil || bytes[at] == Byte.colon || bytes[at] == Byte.dot
      {
        at += 1
      }
      guard at > first + 2, at < range.upperBound, bytes[at] == UInt8(ascii: "]") else { return false }
      at += 1
    } else {
      while at < range.upperBound, bytes[at] != Byte.colon {
        guard Byte.isHostName(bytes[at]) else { return false }
        at += 1
      }
      guard at > first else { return false }
    }
    guard at < range.upperBound else { return true }
    // At most five digits.
    guard bytes[at] == Byte.colon, range.upperBound - at <= 6 else { return false }
    for index in at + 1..<range.upperBound where bytes[index] &- 48 > 9 { return false }
    return true
  }

  private func checkAuthority(_ bytes: Span<UInt8>) throws(FramingRefusal) {
    guard !authority.isEmpty else { return }
    guard bytes.sameIgnoringCase(authority, host) else {
      throw FramingRefusal(400, "the request target and Host name different servers")
    }
  }

  // MARK: - Fields

  /// Parses `name: value CR LF` at `at` and moves behind it.
  static func parseField(_ bytes: Span<UInt8>, at: inout Int) throws(FramingRefusal) -> Field {
    let start = at
    let count = bytes.count
    var index = start
    while index < count, Byte.isToken(bytes[index]) { index += 1 }
    guard index > start, index < count, bytes[index] == Byte.colon else {
      throw FramingRefusal(400, "a header field is not: name: value (a space before the colon, or a folded line?)")
    }
    let name = start..<index
    index += 1
    while index < count, Byte.isBlank(bytes[index]) { index += 1 }
    let valueStart = index
    while index < count, Byte.isFieldContent(bytes[index]) { index += 1 }
    guard index + 1 < count, bytes[index] == Byte.carriageReturn, bytes[index + 1] == Byte.lineFeed else {
      throw FramingRefusal(400, "a header value has a control character, or its line does not end in CR LF")
    }
    at = index + 2
    while index > valueStart, Byte.isBlank(bytes[index - 1]) { index -= 1 }
    return Field(name: name, value: valueStart..<index)
  }

  /// A `Content-Length`: digits only, 16 at most, so that it fits.
  private static func parseLength(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(FramingRefusal) -> Int {
    guard !range.isEmpty, range.count <= 16 else { throw FramingRefusal(400, "Content-Length is not a number") }
    var value = 0
    for index in range {
      let digit = bytes[index] &- 48
      guard digit <= 9 else { throw FramingRefusal(400, "Content-Length is not a number") }
      value = value * 10 + Int(digit)
    }
    return value
  }
}
