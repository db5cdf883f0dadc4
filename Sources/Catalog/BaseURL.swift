/// Where a provider is, taken apart: scheme, host, port and path, and nothing else.
///
/// Stricter than RFC 3986 on purpose: what curl, a resolver and we could read differently (user names, short IPv4
/// forms, dot segments, backslashes) is refused.
struct BaseURL: Sendable, Equatable {
  let usesTLS: Bool
  /// Lower case, without the brackets of an IPv6 address.
  let host: String
  let isLiteralAddress: Bool
  let port: UInt16
  /// Begins with a slash or is empty; ends without one.
  let path: String

  /// What is wrong, and what to write instead. It never holds the text, which may hold a password.
  struct Mistake: Error, Equatable {
    let message: String
  }

  init(_ text: String) throws(Mistake) {
    let lower = text.lowercased()
    let rest: Substring
    if lower.hasPrefix("https://") {
      usesTLS = true
      rest = text.dropFirst(8)
    } else if lower.hasPrefix("http://") {
      usesTLS = false
      rest = text.dropFirst(7)
    } else {
      throw Mistake(message: "a base_url begins with https:// or http://")
    }
    guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !#"\"<>^`{|}"#.utf8.contains($0) }) else {
      throw Mistake(
        message: "a base_url holds only ASCII letters, digits and signs; write a foreign host name as xn--…")
    }
    guard !rest.contains("?"), !rest.contains("#") else {
      throw Mistake(message: "a base_url has no ? or # part; leave it out")
    }
    let authority = rest.prefix { $0 != "/" }
    guard !authority.contains("@") else {
      throw Mistake(message: "a base_url has no user name or password; write the key under api_key")
    }
    guard let location = HostAndPort(authority) else {
      throw Mistake(message: "the host of this base_url is not a host name or address, with :PORT behind it or not")
    }
    host = location.host
    isLiteralAddress = location.isLiteralAddress
    port = location.port ?? (usesTLS ? 443 : 80)
    path = try Self.path(rest.dropFirst(authority.count))
  }

  private static func path(_ text: Substring) throws(Mistake) -> String {
    var path = text
    while path.last == "/" { path.removeLast() }
    for part in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
      guard !part.isEmpty, part != ".", part != ".." else {
        throw Mistake(message: "the path of this base_url has an empty or dotted part")
      }
    }
    for ending in ["/chat/completions", "/completions", "/models"] where path.hasSuffix(ending) {
      throw Mistake(message: "leave \(ending) out: a base_url ends before it, mostly in /v1")
    }
    return String(path)
  }

  /// The URL of a path below it, such as `/models`.
  func url(_ below: String) -> String {
    let name = host.contains(":") ? "[\(host)]" : host
    let isUsual = port == (usesTLS ? 443 : 80)
    return "\(usesTLS ? "https" : "http")://\(name)\(isUsual ? "" : ":\(port)")\(path)\(below)"
  }
}
