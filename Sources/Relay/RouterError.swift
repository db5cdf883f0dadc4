import Metering

/// Why a completion has no answer: what went wrong, whose doing it was, whether trying again may help, and a message
/// that says what to do next. It never holds a key, a prompt or another tenant's data.
public struct RouterError: Error, Sendable, Equatable {
  public enum Code: Sendable, Equatable {
    /// The provider says that the request itself is wrong; its status is passed on.
    case rejectedByProvider(status: Int)
    /// The route has nothing that could serve it.
    case noEndpoints
    /// Every candidate is at capacity.
    case rateLimited
    /// Every candidate has more to do than it can.
    case overloaded
    /// Every candidate finished without a token.
    case emptyCompletion
    /// Every candidate failed.
    case providerFailed
    /// Every candidate was too slow.
    case timedOut
    /// The stream broke after content had been delivered.
    case streamBroken
    /// The router is stopping, or cannot write its ledger.
    case unavailable
  }

  public enum Source: Sendable, Equatable {
    case client, router, provider
  }

  public var code: Code
  public var source: Source
  public var isRetryable: Bool
  public var message: String
  /// What was tried, in order.
  public var attempts: [FailedAttempt]
  /// Seconds after which a retry may succeed, as a provider said.
  public var retryAfter: String?
  /// When nothing may serve: a JSON object with each candidate and the reason why it was turned away.
  public var rejections: [UInt8] = []
  /// When nothing may serve: OpenRouter's words for the limits that did it (`availability.excluded_by`).
  public var excludedBy: [String] = []
  /// `openrouter_metadata`, for a client that asked for it: a JSON object.
  public var choice: [UInt8] = []

  public init(
    _ code: Code, source: Source, isRetryable: Bool, message: String, attempts: [FailedAttempt] = [],
    retryAfter: String? = nil
  ) {
    self.code = code
    self.source = source
    self.isRetryable = isRetryable
    self.message = message
    self.attempts = attempts
    self.retryAfter = retryAfter
  }
}

extension RouterError {
  /// For what is asked or still runs when the process stops.
  public static let routerStops = RouterError(
    .unavailable, source: .router, isRetryable: true, message: "the router is stopping; send the request again")
}

/// One try that failed, as the client may see it.
public struct FailedAttempt: Sendable, Equatable {
  /// How many a client is told of, the last ones: a route may have thousands.
  public static let toldLimit = 16

  /// The place in `RouteTable.endpoints`.
  public var place: Int
  public var provider: String
  public var failure: FailureClass
  public var status: Int?
  /// The provider's own words, shortened, or the router's.
  public var message: String
  /// `Retry-After` as the provider sent it.
  public var retryAfter: String?
  /// Content of it had gone to the client.
  public var hadDelivered: Bool

  public init(
    place: Int, provider: String, failure: FailureClass, status: Int? = nil, message: String,
    retryAfter: String? = nil, hadDelivered: Bool = false
  ) {
    self.place = place
    self.provider = provider
    self.failure = failure
    self.status = status
    self.message = message
    self.retryAfter = retryAfter
    self.hadDelivered = hadDelivered
  }
}
