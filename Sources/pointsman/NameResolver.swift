import CLinux
import Catalog
import Foundation

/// Resolves providers' names off the loops, checks the addresses, and writes them as libcurl takes them.
enum NameResolver {
  /// How long an answer is used.
  static let timeToLive = Duration.seconds(30)

  /// For each provider `host:port:address,…`; `nil` for a literal address, empty when the name has no usable address.
  /// Blocks as long as the system's resolver does.
  static func addresses(for providers: [Provider], report: (String) -> Void) -> [String?] {
    var known: [String: [String]] = [:]
    return providers.map { provider in
      if provider.isLiteralAddress { return nil }
      let found = known[provider.host] ?? resolve(provider.host, report)
      known[provider.host] = found
      if found.isEmpty { return "" }
      let list = found.map { $0.contains(":") ? "[\($0)]" : $0 }.joined(separator: ",")
      return "\(provider.host):\(provider.port):\(list)"
    }
  }

  private static func resolve(_ host: String, _ report: (String) -> Void) -> [String] {
    var error: UnsafePointer<CChar>?
    var texts = [CChar](repeating: 0, count: 16 * 64)
    let count = texts.withUnsafeMutableBytes { room in
      host.withCString { name in
        pm_resolve(name, room.baseAddress?.assumingMemoryBound(to: CChar.self), 16, &error)
      }
    }
    if count < 0 {
      report("\(host) has no address: \(error.map { String(cString: $0) } ?? "unknown reason")")
      return []
    }
    let all = (0..<Int(count)).map { index in
      String(
        decoding: texts[index * 64..<(index + 1) * 64].prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
    let usable = all.filter(isUsable)
    if usable.count < all.count {
      report("\(host): addresses of link-local, multicast or unspecified kind were left out")
    }
    return usable
  }

  /// No provider lives at a link-local address (cloud metadata does), a multicast or an unspecified one.
  static func isUsable(_ address: String) -> Bool {
    let plain = address.lowercased().hasPrefix("::ffff:") ? String(address.dropFirst(7)) : address.lowercased()
    if plain.contains(":") {
      return
        !(plain.hasPrefix("fe8") || plain.hasPrefix("fe9") || plain.hasPrefix("fea") || plain.hasPrefix("feb")
        || plain.hasPrefix("ff") || plain == "::")
    }
    let parts = plain.split(separator: ".").compactMap { UInt8($0) }
    guard parts.count == 4 else { return false }
    return !(parts[0] == 0 || parts[0] >= 224 || parts[0] == 169 && parts[1] == 254)
  }
}
