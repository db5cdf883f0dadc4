extension RoutesFileReader {
  private static let providerKeys = [
    "base_url", "dialect", "api_key", "headers", "http", "timeouts", "tls", "optional", "discover", "price",
    "simulated", "region", "data", "quantization", "cache_life", "resume",
  ]
  private static let simulatedKeys = [
    "simulated", "timeouts", "region", "data", "quantization", "cache_life", "resume",
  ]
  private static let laterDialects = ["anthropic", "gemini", "vertex", "azure", "bedrock"]

  mutating func readProvider(_ entry: YAMLEntry) {
    var provider = RoutesFile.ProviderEntry(name: Located(value: entry.key, mark: entry.mark))
    let fields = fields(entry.value, of: "a provider", known: Self.providerKeys)
    if let simulated = fields["simulated"] {
      provider.simulation = simulation(simulated)
      if entry.key == "v1" {
        mistakes.error(entry.mark, "a simulated provider cannot be called v1; choose another name")
      }
      for key in Self.providerKeys where !Self.simulatedKeys.contains(key) {
        guard let field = fields[key] else { continue }
        mistakes.error(field.mark, "\(key) has no meaning beside simulated; remove one of the two")
      }
    } else if let field = fields["base_url"] {
      provider.baseURL = baseURL(field)
    } else if case .map = entry.value.content {
      let message = "provider \(Wording.quoted(entry.key)) has no base_url; write where its API is, mostly https://…/v1"
      mistakes.error(entry.mark, message)
    }
    if let field = fields["dialect"] { readDialect(field) }
    if let field = fields["api_key"] { provider.credentials = credentials(field.value, provider: entry.key) }
    if let field = fields["headers"] { provider.headers = headers(field) }
    if let field = fields["http"], let text = text(field.value, "http") {
      switch text {
      case "1": provider.httpVersion = .http1
      case "2": provider.httpVersion = .http2
      default: mistakes.error(field.value.mark, "http must be 1 or 2, not \(Wording.quoted(text))")
      }
    }
    provider.timeouts = timeouts(fields["timeouts"])
    if let field = fields["tls"] {
      let tls = self.fields(field.value, of: "tls", known: ["ca_file"])
      if let file = tls["ca_file"] { provider.caFile = text(file.value, "ca_file") }
    }
    provider.isOptional = flag(fields["optional"]) ?? false
    provider.discovery = fields["discover"].flatMap { discovery($0) }
    provider.price = price(fields["price"])
    provider.traits = traits(fields)
    if let field = fields["price"], fields["simulated"] == nil, !provider.discovers {
      mistakes.warning(
        field.mark, "this price is only for discovered models; set discover: true, or write it at the endpoints")
    }
    file.providers.append(provider)
  }

  private mutating func discovery(_ entry: YAMLEntry) -> DiscoverySettings? {
    guard case .map = entry.value.content else { return flag(entry) == true ? DiscoverySettings() : nil }
    var settings = DiscoverySettings()
    let fields = fields(entry.value, of: "discover", known: ["format", "every", "join", "models"])
    let formats = DiscoveryFormat.allCases.map { ($0.rawValue, $0) }
    if let format = word(fields["format"], among: formats) { settings.format = format }
    if let interval = duration(fields["every"], least: .seconds(10), bounds: "10s to 24h") {
      settings.interval = interval
    }
    settings.joins = flag(fields["join"]) ?? false
    settings.models = someTexts(fields["models"]).map(\.value)
    if settings.format == .endpoints, fields["models"] == nil {
      mistakes.error(entry.value.mark, "the format endpoints is asked for one model at a time; write models: [NAME, …]")
    } else if settings.format != .endpoints, let field = fields["models"] {
      mistakes.error(field.mark, "models has a meaning only with format: endpoints; other lists hold all models")
    }
    return settings
  }

  private mutating func baseURL(_ entry: YAMLEntry) -> BaseURL? {
    guard let text = text(entry.value, "base_url") else { return nil }
    do throws(BaseURL.Mistake) {
      return try BaseURL(text)
    } catch {
      mistakes.error(entry.value.mark, error.message)
      return nil
    }
  }

  private mutating func readDialect(_ entry: YAMLEntry) {
    guard let text = text(entry.value, "dialect"), Provider.Dialect(rawValue: text) == nil else { return }
    if Self.laterDialects.contains(text) {
      mistakes.error(
        entry.value.mark, "the dialect \(text) comes later and is not available yet; use the OpenAI-compatible side")
    } else {
      let names = Provider.Dialect.allCases.map(\.rawValue)
      let hint = mistakes.suggestion(for: text, among: names + Self.laterDialects, otherwise: "; write openai")
      mistakes.error(entry.value.mark, "unknown dialect \(Wording.quoted(text))\(hint)")
    }
  }

  // MARK: - Credentials

  private mutating func credentials(_ node: YAMLNode, provider: String) -> [Located<RoutesFile.CredentialSource>] {
    let sources: [Located<RoutesFile.CredentialSource>]
    if case .list(let items) = node.content {
      sources = items.compactMap { credential($0, provider: provider) }
      if items.isEmpty { mistakes.error(node.mark, "the list of api_key is empty; leave api_key out if there is none") }
    } else {
      sources = [credential(node, provider: provider)].compactMap { $0 }
    }
    return sources
  }

  private mutating func credential(_ node: YAMLNode, provider: String) -> Located<RoutesFile.CredentialSource>? {
    if case .map = node.content {
      let fields = fields(node, of: "api_key", known: ["file"])
      guard let file = fields["file"] else {
        mistakes.error(node.mark, "api_key needs ${VARIABLE}, { file: PATH } or a list of those")
        return nil
      }
      guard let path = text(file.value, "file") else { return nil }
      return Located(value: .file(path), mark: node.mark)
    }
    guard let text = text(node, "api_key") else { return nil }
    if text.hasPrefix("${"), text.hasSuffix("}") {
      let name = String(text.dropFirst(2).dropLast())
      guard Self.isVariableName(name) else {
        mistakes.error(node.mark, "\(Wording.quoted(text)) is not ${VARIABLE}: letters, digits and _ only")
        return nil
      }
      return Located(value: .environment(name), mark: node.mark)
    }
    guard Credential.isSendable(text), !text.contains("${") else {
      mistakes.error(node.mark, "this api_key is neither ${VARIABLE} nor the printable text of a key")
      return nil
    }
    mistakes.warning(
      node.mark, "the key of \(Wording.quoted(provider)) stands here in plain text; write ${VARIABLE} or { file: PATH }"
    )
    return Located(value: .plain(Secret(text)), mark: node.mark)
  }

  private static func isVariableName(_ text: String) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z") || (0x30...0x39).contains(byte)
        || byte == UInt8(ascii: "_")
    }
  }

  // MARK: - Headers

  /// Ours to write, or of one hop only (RFC 9110 section 7.6.1).
  private static let reservedHeaders: Set<String> = [
    "accept-encoding", "authorization", "connection", "content-length", "content-type", "expect", "host", "keep-alive",
    "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
  ]

  private mutating func headers(_ entry: YAMLEntry) -> [Provider.Header] {
    guard case .map(let entries) = entry.value.content else {
      mistakes.error(entry.value.mark, "headers must be a map from names to values, not \(entry.value.kind)")
      return []
    }
    var headers: [Provider.Header] = []
    var seen: Set<String> = []
    for entry in entries {
      let lower = entry.key.lowercased()
      guard Self.isToken(entry.key) else {
        mistakes.error(entry.mark, "\(Wording.quoted(entry.key)) is no header name")
        continue
      }
      guard !Self.reservedHeaders.contains(lower) else {
        let hint = lower == "authorization" ? "; write the key under api_key" : "; Pointsman writes it itself"
        mistakes.error(entry.mark, "the header \(entry.key) cannot be set here\(hint)")
        continue
      }
      guard seen.insert(lower).inserted else {
        mistakes.error(entry.mark, "the header \(entry.key) is here twice; remove one")
        continue
      }
      guard let value = headerValue(entry) else { continue }
      if ["key", "token", "secret"].contains(where: lower.contains) {
        mistakes.warning(entry.value.mark, "the header \(entry.key) seems to hold a secret in plain text; use api_key")
      }
      headers.append(Provider.Header(name: entry.key, value: value))
    }
    return headers
  }

  static func isToken(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 256
      && text.utf8.allSatisfy { byte in
        (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z") || (0x30...0x39).contains(byte)
          || "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
  }

  // MARK: - Simulated

  private mutating func simulation(_ entry: YAMLEntry) -> Simulation {
    var simulation = Simulation.standard
    if case .empty = entry.value.content { return simulation }
    let fields = fields(entry.value, of: "simulated", known: ["first_token", "tokens_per_second", "jitter"])
    if let wait = duration(fields["first_token"], least: .zero) { simulation.firstToken = wait }
    if let speed = number(fields["tokens_per_second"], 0...1_000_000, stepFromZero: 0.1) {
      simulation.tokensPerSecond = speed
    }
    if let jitter = number(fields["jitter"], 0...1) { simulation.jitter = jitter }
    return simulation
  }
}
