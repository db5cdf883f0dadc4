/// What a table is made of beside the file: all that had to be read or asked elsewhere.
public struct CompileInputs: Sendable {
  /// The environment of the process. A variable that is set to nothing counts as not set.
  public var environment: [String: String]
  /// The text of a secret's file; white space at its ends is dropped. What it throws is not shown, as it may hold more
  /// than a name.
  public var readSecret: @Sendable (_ path: String) throws -> String
  /// For each provider that was asked for its models: what it listed.
  public var discovered: [String: [DiscoveredModel]]
  /// Where the built-in simulated providers listen, `http://127.0.0.1:PORT`; each is found under `/NAME/v1` there.
  /// `nil` for a table that is only looked at: its simulated providers have port 1, where nothing listens.
  public var simulatorBaseURL: String?
  /// The optional providers that did not answer.
  public var unreachableOptional: Set<String>

  /// Seconds since 1970: discovered prices may be stale by then. `nil`: none is.
  public var unixSeconds: Int64?

  /// Tries to use the public listener's certificate and key: `nil` when they can be.
  public var tryTLS: @Sendable (Listeners.TLSFiles) -> Listeners.TLSFileMistake?

  public init(
    environment: [String: String] = [:],
    readSecret: @escaping @Sendable (_ path: String) throws -> String = { _ in throw SecretsAreNotRead() },
    discovered: [String: [DiscoveredModel]] = [:], simulatorBaseURL: String? = nil,
    unreachableOptional: Set<String> = [],
    unixSeconds: Int64? = nil,
    tryTLS: @escaping @Sendable (Listeners.TLSFiles) -> Listeners.TLSFileMistake? = { _ in nil }
  ) {
    self.environment = environment
    self.readSecret = readSecret
    self.discovered = discovered
    self.simulatorBaseURL = simulatorBaseURL
    self.unreachableOptional = unreachableOptional
    self.unixSeconds = unixSeconds
    self.tryTLS = tryTLS
  }

  /// Thrown where no way to read secrets was passed in.
  public struct SecretsAreNotRead: Error {
    public init() {}
  }
}
