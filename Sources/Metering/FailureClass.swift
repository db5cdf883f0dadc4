/// Why an attempt did not complete. The numbers are journal format: add at the end only.
public enum FailureClass: UInt8, CaseIterable, Sendable {
  case none = 0
  case connect = 1
  case tls = 2
  case headersTimeout = 3
  case firstTokenTimeout = 4
  case stalled = 5
  case rateLimited = 6
  case providerAuth = 7
  case providerNotFound = 8
  case requestTimeout = 9
  case serverError = 10
  case badRequest = 11
  case badResponse = 12
  case errorEvent = 13
  case emptyCompletion = 14
  case truncated = 15
  case staleConnection = 16
  case clientLeft = 17
  /// The router's own journal could not be written.
  case ledger = 18
  case routerStopped = 19
  /// Written by recovery: the process ended while the attempt ran.
  case routerDied = 20
  case other = 21
  /// 503 or 529: the endpoint, or the whole provider, has more to do than it can.
  case overloaded = 22
  /// The request is longer than the endpoint's model can take.
  case contextLength = 23
  /// The provider refuses the content.
  case contentFilter = 24
  /// The account's money or quota at the provider is used up.
  case providerSpent = 25
  /// Another attempt of the same completion had its first token sooner.
  case hedgeLost = 26

  /// The word in the ledger and on metrics.
  public var name: String {
    switch self {
    case .none: "none"
    case .connect: "connect"
    case .tls: "tls"
    case .headersTimeout: "headers_timeout"
    case .firstTokenTimeout: "first_token_timeout"
    case .stalled: "stalled"
    case .rateLimited: "rate_limited"
    case .providerAuth: "provider_auth"
    case .providerNotFound: "provider_not_found"
    case .requestTimeout: "request_timeout"
    case .serverError: "server_error"
    case .badRequest: "bad_request"
    case .badResponse: "bad_response"
    case .errorEvent: "error_event"
    case .emptyCompletion: "empty_completion"
    case .truncated: "truncated"
    case .staleConnection: "stale_connection"
    case .clientLeft: "client_left"
    case .ledger: "ledger"
    case .routerStopped: "router_stopped"
    case .routerDied: "router_died"
    case .other: "other"
    case .overloaded: "overloaded"
    case .contextLength: "context_length"
    case .contentFilter: "content_filter"
    case .providerSpent: "provider_spent"
    case .hedgeLost: "hedge_lost"
    }
  }
}
