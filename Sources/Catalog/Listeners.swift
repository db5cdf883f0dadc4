/// What both listeners let in.
public struct Listeners: Sendable, Equatable {
  public var `public`: Listener
  public var admin: Listener
  /// The largest request body in bytes.
  public var maxBody: Int
  /// What the public listener takes on.
  public var limits = Limits()

  public static let standard = Listeners(public: Listener(), admin: Listener(), maxBody: 32 << 20)

  /// `listeners.limits`: bounds on what all loops hold together. What comes above them is refused at once.
  public struct Limits: Sendable, Equatable {
    /// Connections of clients that are open at once.
    public var connections = 20_000
    /// Completions that run at once.
    public var streams = 10_000
    /// Bytes of request bodies that are held at once.
    public var bodies = 1 << 30

    public init() {}
  }

  /// One listener: what is allowed beside loopback names.
  public struct Listener: Sendable, Equatable {
    /// Host names, lower case, without port.
    public var hosts: [String]
    /// Origins as a browser sends them: `scheme://host[:port]`, lower case.
    public var origins: [String]
    /// The public listener's certificate; plain HTTP without one.
    public var tls: TLSFiles?

    public init(hosts: [String] = [], origins: [String] = [], tls: TLSFiles? = nil) {
      self.hosts = hosts
      self.origins = origins
      self.tls = tls
    }
  }

  /// `listeners.public.tls`: PEM files that are read when the table is adopted.
  public struct TLSFiles: Sendable, Equatable {
    /// Path of the certificate and, behind it, those of its issuers.
    public let certificate: String
    /// Path of its private key.
    public let key: String
    let certificateMark: SourceMark
    let keyMark: SourceMark
  }

  /// Why one of the files of a `TLSFiles` cannot be used.
  public struct TLSFileMistake: Sendable {
    /// It is the key's file, not the certificate's.
    public var isKey: Bool
    public var reason: String

    public init(isKey: Bool, reason: String) {
      self.isKey = isKey
      self.reason = reason
    }
  }
}
