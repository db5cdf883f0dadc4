/// The separate deadlines of one attempt.
public struct Timeouts: Sendable, Equatable {
  /// TCP and TLS together.
  public var connect: Duration
  /// From the start of the attempt to the provider's complete response head.
  public var headers: Duration
  /// From the start of the attempt to the first content.
  public var firstToken: Duration
  /// Between two pieces of content; a comment is not content.
  public var gap: Duration
  /// For the whole answer to a request that is not streamed: its head comes when the answer is ready, so neither
  /// `headers` nor `firstToken` can tell a slow provider from a silent one.
  public var unstreamed: Duration

  public static let standard = Timeouts(
    connect: .seconds(5), headers: .seconds(30), firstToken: .seconds(60), gap: .seconds(60),
    unstreamed: .seconds(600))

  public init(connect: Duration, headers: Duration, firstToken: Duration, gap: Duration, unstreamed: Duration) {
    self.connect = connect
    self.headers = headers
    self.firstToken = firstToken
    self.gap = gap
    self.unstreamed = unstreamed
  }

  /// These deadlines with those replaced that `changes` names.
  public func overridden(by changes: TimeoutChanges) -> Timeouts {
    Timeouts(
      connect: changes.connect ?? connect, headers: changes.headers ?? headers,
      firstToken: changes.firstToken ?? firstToken, gap: changes.gap ?? gap,
      unstreamed: changes.unstreamed ?? unstreamed)
  }
}

/// Deadlines as written for a provider or a route: only those that differ from what would apply otherwise.
public struct TimeoutChanges: Sendable, Equatable {
  public var connect: Duration?
  public var headers: Duration?
  public var firstToken: Duration?
  public var gap: Duration?
  public var unstreamed: Duration?

  public init(
    connect: Duration? = nil, headers: Duration? = nil, firstToken: Duration? = nil, gap: Duration? = nil,
    unstreamed: Duration? = nil
  ) {
    self.connect = connect
    self.headers = headers
    self.firstToken = firstToken
    self.gap = gap
    self.unstreamed = unstreamed
  }
}
