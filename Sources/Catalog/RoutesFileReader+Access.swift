extension RoutesFileReader {
  // MARK: - Keys

  mutating func readKey(_ entry: YAMLEntry) {
    let fields = fields(entry.value, of: "a client key", known: ["sha256", "concurrency"])
    let concurrency = count(fields["concurrency"], most: 1_000_000)
    guard let field = fields["sha256"] else {
      if case .map = entry.value.content {
        let message =
          "key \(Wording.quoted(entry.key)) has no sha256; write the SHA-256 of the key as 64 hexadecimal digits"
        mistakes.error(entry.mark, message)
      }
      return
    }
    guard let text = text(field.value, "sha256") else { return }
    guard let digest = Self.digest(text) else {
      mistakes.error(
        field.value.mark, "sha256 must be 64 hexadecimal digits: the SHA-256 of the key, never the key itself")
      return
    }
    if let twin = file.keys.first(where: { $0.digest == digest }) {
      mistakes.error(
        field.value.mark, "this is the same key as \(Wording.quoted(twin.name.value)); make one per client")
      return
    }
    file.keys.append(.init(name: Located(value: entry.key, mark: entry.mark), digest: digest, concurrency: concurrency))
  }

  private static func digest(_ text: String) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for position in stride(from: 0, to: 64, by: 2) {
      guard let high = nibble(characters[position]), let low = nibble(characters[position + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func nibble(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x61...0x66: byte - 0x61 + 10
    case 0x41...0x46: byte - 0x41 + 10
    default: nil
    }
  }

  // MARK: - Listeners

  mutating func readListeners(_ entry: YAMLEntry?) {
    guard let entry else { return }
    if case .empty = entry.value.content { return }
    let fields = fields(entry.value, of: "listeners", known: ["public", "admin", "max_body", "limits"])
    file.listeners.public = listener(fields["public"], hasTLS: true)
    file.listeners.admin = listener(fields["admin"])
    if let field = fields["max_body"], let text = text(field.value, "max_body") {
      if let size = Quantity.bytes(text), size >= 1 << 10 {
        file.listeners.maxBody = size
      } else {
        let message =
          "\(Wording.quoted(text)) is not a size from 1KiB to 1GiB; write 32MiB, 512KiB or a number of bytes"
        mistakes.error(field.value.mark, message)
      }
    }
    readListenerLimits(fields["limits"])
  }

  private mutating func readListenerLimits(_ entry: YAMLEntry?) {
    guard let entry else { return }
    let fields = fields(entry.value, of: "the listeners' limits", known: ["connections", "streams", "bodies"])
    if let connections = count(fields["connections"], most: 1_000_000) {
      file.listeners.limits.connections = connections
    }
    if let streams = count(fields["streams"], most: 1_000_000) { file.listeners.limits.streams = streams }
    guard let field = fields["bodies"], let text = text(field.value, "bodies") else { return }
    if let size = Quantity.bytes(text, most: Self.mostBodies), size >= file.listeners.maxBody {
      file.listeners.limits.bodies = size
    } else {
      let message = "\(Wording.quoted(text)) is not a size from that of max_body to 1024GiB; write 1GiB or 512MiB"
      mistakes.error(field.value.mark, message)
    }
  }

  private static let mostBodies: Int64 = 1 << 40

  private mutating func listener(_ entry: YAMLEntry?, hasTLS: Bool = false) -> Listeners.Listener {
    var listener = Listeners.Listener()
    guard let entry else { return listener }
    let known = ["hosts", "origins"] + (hasTLS ? ["tls"] : [])
    let fields = fields(entry.value, of: "the \(entry.key) listener", known: known)
    listener.tls = tlsFiles(fields["tls"])
    if let field = fields["hosts"] {
      for host in texts(field.value, "hosts") {
        if host.value == "*" {
          // Every name: for a listener whose keys or token keep strangers out.
          listener.hosts.append(host.value)
        } else if let location = HostAndPort(Substring(host.value)), location.port == nil {
          listener.hosts.append(location.host)
        } else {
          let message =
            "\(Wording.quoted(host.value)) is not a host name or address; write it without scheme, port and path"
          mistakes.error(host.mark, message)
        }
      }
    }
    if let field = fields["origins"] {
      for origin in texts(field.value, "origins") {
        if let normal = Self.origin(origin.value) {
          listener.origins.append(normal)
        } else {
          let message = "\(Wording.quoted(origin.value)) is not an origin; write scheme://host or scheme://host:port"
          mistakes.error(origin.mark, message)
        }
      }
    }
    return listener
  }

  private mutating func tlsFiles(_ entry: YAMLEntry?) -> Listeners.TLSFiles? {
    guard let entry else { return nil }
    let fields = fields(entry.value, of: "tls", known: ["certificate", "key"])
    for key in ["certificate", "key"] where fields[key] == nil {
      guard case .map = entry.value.content else { break }
      mistakes.error(entry.mark, "tls needs \(key): the path of a PEM file")
    }
    guard let certificate = fields["certificate"], let key = fields["key"] else { return nil }
    let paths = (text(certificate.value, "certificate"), text(key.value, "key"))
    guard let certificatePath = paths.0, let keyPath = paths.1 else { return nil }
    return Listeners.TLSFiles(
      certificate: certificatePath, key: keyPath, certificateMark: certificate.value.mark, keyMark: key.value.mark)
  }

  /// As a browser sends it: lower case, without a port that the scheme implies.
  private static func origin(_ text: String) -> String? {
    let lower = text.lowercased()
    guard let colon = lower.firstIndex(of: ":"), lower[colon...].hasPrefix("://") else { return nil }
    let scheme = lower[..<colon]
    guard let first = scheme.utf8.first, (0x61...0x7a).contains(first) else { return nil }
    let isScheme = scheme.utf8.allSatisfy { byte in
      (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "+-.".utf8.contains(byte)
    }
    guard isScheme, let location = HostAndPort(lower[colon...].dropFirst(3)) else { return nil }
    let host = location.host.contains(":") ? "[\(location.host)]" : location.host
    let usual: UInt16? = scheme == "https" ? 443 : scheme == "http" ? 80 : nil
    guard let port = location.port, port != usual else { return "\(scheme)://\(host)" }
    return "\(scheme)://\(host):\(port)"
  }
}
