import Catalog
import HTTP

/// Which `Host` and `Origin` a listener answers: its own address, loopback names and what the configuration adds. A web
/// page that was led here by a foreign name, or that posts from a foreign origin, is turned away.
struct ListenerRules {
  private let hosts: [[UInt8]]
  private let origins: Set<String>
  private let anyHost: Bool

  /// - Parameters:
  ///   - address: the literal address that the listener is bound to.
  ///   - allowed: the configuration's additions; the host `*` stands for every name.
  init(address: String, allowed: Listeners.Listener) {
    var hosts: Set<String> = ["localhost", "127.0.0.1", "::1"]
    if address != "0.0.0.0", address != "::" { hosts.insert(address.lowercased()) }
    hosts.formUnion(allowed.hosts)
    self.hosts = hosts.map { $0.utf8.filter { $0 != UInt8(ascii: "[") && $0 != UInt8(ascii: "]") } }
    anyHost = allowed.hosts.contains("*")
    origins = Set(allowed.origins)
  }

  /// Whether a `Host` value, with or without a port, is one of the listener's.
  func admits(host bytes: Span<UInt8>, _ value: Range<Int>) -> Bool {
    anyHost || hosts.contains { Self.equals(bytes, Self.withoutPort(bytes, value), $0) }
  }

  func admits(origin: String) -> Bool { origins.contains(origin.lowercased()) }

  private static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ lowercase: [UInt8]) -> Bool {
    guard range.count == lowercase.count else { return false }
    for (offset, expected) in lowercase.enumerated() {
      let byte = bytes[range.lowerBound + offset]
      if (byte >= 65 && byte <= 90 ? byte | 0x20 : byte) != expected { return false }
    }
    return true
  }

  /// The name or address in a `Host` value; an IPv6 address without its brackets.
  private static func withoutPort(_ bytes: Span<UInt8>, _ value: Range<Int>) -> Range<Int> {
    guard let first = value.first else { return value }
    if bytes[first] == UInt8(ascii: "[") {
      let end = value.first { bytes[$0] == UInt8(ascii: "]") } ?? value.upperBound
      return min(first + 1, end)..<end
    }
    return value.lowerBound..<(value.last { bytes[$0] == UInt8(ascii: ":") } ?? value.upperBound)
  }
}
