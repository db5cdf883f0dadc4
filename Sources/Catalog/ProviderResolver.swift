/// Turns a provider as written into one that can be called: credentials looked up, URLs put together.
struct ProviderResolver {
  let environment: [String: String]
  let readSecret: @Sendable (_ path: String) throws -> String
  let simulatorBaseURL: String?

  enum Outcome {
    case usable(Provider)
    /// Optional, and its key is missing.
    case leftOut
    /// A mistake that was reported, here or by the reader.
    case broken
  }

  func resolve(_ entry: RoutesFile.ProviderEntry, index: Int, mistakes: inout MistakeList) -> Outcome {
    var credentials: [Secret] = []
    var isBroken = false
    for source in entry.credentials {
      switch credential(source.value) {
      case .found(let secret):
        credentials.append(secret)
      case .missing(let reason):
        guard !entry.isOptional else { continue }
        mistakes.error(source.mark, reason + ", or set optional: true to leave the provider out without it")
        isBroken = true
      case .unfit(let reason):
        mistakes.error(source.mark, reason)
        isBroken = true
      }
    }
    guard let base = base(of: entry) else {
      if entry.simulation != nil { mistakes.error(entry.name.mark, "the simulator's own base URL is not one") }
      return .broken
    }
    guard !isBroken else { return .broken }
    guard entry.credentials.isEmpty || !credentials.isEmpty else { return .leftOut }
    let displayName = entry.simulation == nil ? entry.name.value : entry.name.value + " (simulated)"
    return .usable(
      Provider(
        index: index, name: entry.name.value, displayName: displayName, displayNameJSON: JSONText.string(displayName),
        simulation: entry.simulation, dialect: entry.dialect, usesTLS: base.usesTLS, host: base.host, port: base.port,
        isLiteralAddress: base.isLiteralAddress, chatURL: base.url("/chat/completions"),
        completionsURL: base.url("/completions"), modelsURL: base.url("/models"), credentials: credentials,
        headers: entry.headers, httpVersion: entry.httpVersion,
        timeouts: Timeouts.standard.overridden(by: entry.timeouts), caFile: entry.caFile))
  }

  private func base(of entry: RoutesFile.ProviderEntry) -> BaseURL? {
    guard entry.simulation != nil else { return entry.baseURL }
    return try? BaseURL("\(simulatorBaseURL ?? "http://127.0.0.1:1")/\(entry.name.value)/v1")
  }

  private enum Lookup {
    case found(Secret)
    case missing(String)
    case unfit(String)
  }

  private func credential(_ source: RoutesFile.CredentialSource) -> Lookup {
    switch source {
    case .plain(let secret):
      return .found(secret)
    case .environment(let name):
      guard let text = environment[name], !text.isEmpty else {
        return .missing("the environment variable \(name) is not set; set it")
      }
      guard Credential.isSendable(text) else {
        return .unfit("the environment variable \(name) is not one line of printable ASCII")
      }
      return .found(Secret(text))
    case .file(let path):
      guard let content = try? readSecret(path) else {
        return .missing("the file \(Wording.quoted(path)) cannot be read; put the key there")
      }
      let text = Self.trimmed(content)
      guard !text.isEmpty else { return .missing("the file \(Wording.quoted(path)) is empty; put the key there") }
      guard Credential.isSendable(text) else {
        return .unfit("the file \(Wording.quoted(path)) is not one line of printable ASCII")
      }
      return .found(Secret(text))
    }
  }

  private static func trimmed(_ text: String) -> String {
    var rest = text[...]
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    return String(rest)
  }
}
