import Loop

/// Sends requests to endpoints, many at a time, on one loop. Belongs to that loop.
///
/// Nothing happens inside these calls: they note what is wanted, and the round's `drive` does it.
public protocol UpstreamClient: AnyObject {
  /// Sends the transfer's request in this round.
  func start(_ transfer: UpstreamTransfer)
  /// Ends a transfer now; its observer hears nothing more.
  func cancel(_ transfer: UpstreamTransfer)
  /// Stops reading from the transfer's connection, so that the provider feels the slow reader.
  func pause(_ transfer: UpstreamTransfer)
  /// Reads on.
  func resume(_ transfer: UpstreamTransfer)
}

/// Hears what comes back. All but `ended` may be called from inside a libcurl callback: they must only take note.
public protocol UpstreamObserver: AnyObject {
  /// The final response head is complete.
  func received(_ head: UpstreamHead)
  /// De-chunked body bytes; their pieces have no relation to events.
  func received(_ bytes: Span<UInt8>)
  /// The transfer is over and its connection is back in the pool or closed.
  func ended(_ end: UpstreamEnd)
}

/// What the router looks at in a response head.
public struct UpstreamHead: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    case eventStream, json, other
  }

  public var status = 0
  public var content = Content.other
  /// `Retry-After` as it was sent.
  public var retryAfter: String?
  /// `retry-after-ms` as it was sent: OpenAI's and Azure's more exact form of it.
  public var retryAfterMilliseconds: String?
  /// Nanoseconds until a rate limit has room again that this answer says is used up (`x-ratelimit-remaining-requests`
  /// or `-tokens` of 0, with its `x-ratelimit-reset-…`; OpenAI's headers, which most providers copy); `nil` while there
  /// is room or nothing is said.
  public var limitedFor: UInt64?

  public init(
    status: Int = 0, content: Content = .other, retryAfter: String? = nil, retryAfterMilliseconds: String? = nil,
    limitedFor: UInt64? = nil
  ) {
    self.status = status
    self.content = content
    self.retryAfter = retryAfter
    self.retryAfterMilliseconds = retryAfterMilliseconds
    self.limitedFor = limitedFor
  }
}

/// How a transfer ended.
public struct UpstreamEnd: Sendable, Equatable {
  /// What went wrong, by where it went wrong.
  public enum Failure: Sendable, Equatable {
    /// No connection: refused, unreachable, no address.
    case connect
    /// No connection within the connect deadline.
    case connectTimeout
    /// The handshake failed, or the certificate did not verify.
    case tls
    /// A kept connection turned out to be dead before any response byte.
    case staleConnection
    /// The connection ended before the response did.
    case truncated
    /// The response breaks HTTP's rules or the router's bounds.
    case badResponse
    /// Anything else.
    case other
  }

  /// `nil`: the response came to its framing's end.
  public var failure: Failure?
  /// A text about the failure, without addresses or secrets.
  public var message: String
  /// Whether a pooled connection was used.
  public var reusedConnection: Bool

  public init(failure: Failure? = nil, message: String = "", reusedConnection: Bool = false) {
    self.failure = failure
    self.message = message
    self.reusedConnection = reusedConnection
  }
}
