import Catalog
import HTTP

/// Which `Host` and `Origin` a listener answers: its own address, loopback names and what the configuration adds. A web
/// page that was led here by a foreign name, or that posts from a foreign origin, is turned away.
struct ListenerRules {
  private let hosts: Set<String>
  private let origins: Set<String>
  private let anyHost: Bool

  /// - Parameters:
  ///   - address: the literal address that the listener is bound to.
  ///   - allowed: the configuration's additions; the host `*` stands for every name.
  init(address: String, allowed: Listeners.Listener) {
    var hosts: Set<String> = ["localhost", "127.0.0.1", "::1"]
    if address != "0.0.0.0", address != "::" { hosts.insert(address.lowercased()) }
    hosts.formUnion(allowed.hosts)
    self.hosts = hosts
    anyHost = allowed.hosts.contains("*")
    origins = Set(allowed.origins)
  }

  /// Whether a `Host` value, with or without a port, is one of the listener's.
  func admits(host: String) -> Bool { anyHost || hosts.contains(Self.withoutPort(host.lowercased())) }

  func admits(origin: String) -> Bool { origins.contains(origin.lowercased()) }

  private static func withoutPort(_ host: String) -> String {
    if host.hasPrefix("[") {
      guard let end = host.firstIndex(of: "]") else { return host }
      return String(host[host.index(after: host.startIndex)..<end])
    }
    guard let colon = host.lastIndex(of: ":") else { return host }
    return String(host[..<colon])
  }
}
