/// What both listeners let in.
public struct Listeners: Sendable, Equatable {
  public var `public`: Listener
  public var admin: Listener
  /// The largest request body in bytes.
  public var maxBody: Int

  public static let standard = Listeners(public: Listener(), admin: Listener(), maxBody: 32 << 20)

  /// One listener: what is allowed beside loopback names.
  public struct Listener: Sendable, Equatable {
    /// Host names, lower case, without port.
    public var hosts: [String]
    /// Origins as a browser sends them: `scheme://host[:port]`, lower case.
    public var origins: [String]

    public init(hosts: [String] = [], origins: [String] = []) {
      self.hosts = hosts
      self.origins = origins
    }
  }
}
