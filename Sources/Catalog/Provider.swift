/// Who hosts: credentials, wire format and base address.
public struct Provider: Sendable {
  /// The place in `RouteTable.providers`.
  public let index: Int
  /// The name in routes.yaml.
  public let name: String
  /// What clients are shown: the name, and ` (simulated)` behind it for a built-in simulated provider.
  public let displayName: String
  /// `displayName` as a JSON string, quotes included.
  public let displayNameJSON: [UInt8]
  /// How the built-in simulated provider behaves; `nil` for a real provider.
  public let simulation: Simulation?
  public let dialect: Dialect
  public let usesTLS: Bool
  /// Name or address, without the brackets of an IPv6 address, lower case.
  public let host: String
  public let port: UInt16
  /// `host` is an IP address: there is nothing to resolve.
  public let isLiteralAddress: Bool
  /// `…/chat/completions`
  public let chatURL: String
  /// `…/completions`
  public let completionsURL: String
  /// `…/models`
  public let modelsURL: String
  /// Empty when the provider wants none.
  public let credentials: [Secret]
  /// Fixed headers that every request to this provider carries, in the order of the file.
  public let headers: [Header]
  public let httpVersion: HTTPVersion
  public let timeouts: Timeouts
  /// A file of PEM certificates to trust instead of the system's.
  public let caFile: String?

  public var isSimulated: Bool { simulation != nil }

  /// One fixed header field.
  public struct Header: Sendable, Equatable {
    public let name: String
    public let value: String
  }

  public enum HTTPVersion: Int, Sendable {
    case http1 = 1
    case http2 = 2
  }

  /// The wire format that the provider speaks.
  public enum Dialect: String, Sendable, CaseIterable {
    case openai
  }
}

/// How a built-in simulated provider behaves.
public struct Simulation: Sendable, Equatable {
  /// From the request to the first token.
  public var firstToken: Duration
  /// 0: as fast as the reader takes them.
  public var tokensPerSecond: Double
  /// By which share each wait may be longer or shorter: 0 (none) to 1.
  public var jitter: Double

  public static let standard = Simulation(firstToken: .milliseconds(200), tokensPerSecond: 60, jitter: 0.1)

  public init(firstToken: Duration, tokensPerSecond: Double, jitter: Double) {
    self.firstToken = firstToken
    self.tokensPerSecond = tokensPerSecond
    self.jitter = jitter
  }
}
