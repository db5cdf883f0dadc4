import Synchronization

extension EndpointHealth {
  /// What an admin should hear of. Rare, and never with a key in it.
  public enum Event: Sendable, Equatable {
    /// The pause is in nanoseconds, as all spans here.
    case opened(endpoint: String, pause: UInt64)
    case closed(endpoint: String, after: UInt64)
    case providerOpened(provider: String, pause: UInt64)
    case providerClosed(provider: String, after: UInt64)
    /// The place is that in `Provider.credentials`, from 0.
    case keyRetired(provider: String, place: Int, why: Retirement, for: UInt64)
    case keyReturned(provider: String, place: Int)
  }
}

extension EndpointHealth.Event: CustomStringConvertible {
  /// What happened and what to do next.
  public var description: String {
    switch self {
    case .opened(let endpoint, let pause):
      """
      \(endpoint) failed and is left alone for \(Self.span(pause)), then tried by one request at a time; others serve \
      meanwhile. If it does not come back, look at the errors of its last attempts
      """
    case .closed(let endpoint, let after):
      """
      \(endpoint) answers again after \(Self.span(after)) and gets its full share within 30 s; nothing is to be done
      """
    case .providerOpened(let provider, let pause):
      """
      the provider \(provider) failed as a whole, so all of its endpoints are left alone for \(Self.span(pause)), then \
      tried by one request at a time. If it does not come back, look at its base_url, its certificate and its status page
      """
    case .providerClosed(let provider, let after):
      "the provider \(provider) answers again after \(Self.span(after)); nothing is to be done"
    case .keyRetired(let provider, let place, .refused, let span):
      """
      the provider \(provider) refuses key \(place + 1) of routes.yaml, which is not used for \(Self.span(span)). Put a \
      valid one in its place and reload
      """
    case .keyRetired(let provider, let place, .spent, let span):
      """
      the account of key \(place + 1) of the provider \(provider) is spent, so the key is not used for \(Self.span(span)). \
      Pay in or raise its cap; it is then taken into use again by itself
      """
    case .keyReturned(let provider, let place):
      "the provider \(provider) takes key \(place + 1) of routes.yaml again; nothing is to be done"
    }
  }

  /// In whole seconds, minutes or hours.
  static func span(_ nanoseconds: UInt64) -> String {
    let seconds = (nanoseconds / 500_000_000 + 1) / 2
    if seconds < 120 { return "\(seconds) s" }
    let minutes = (seconds + 30) / 60
    if minutes < 120 { return "\(minutes) min" }
    return "\((minutes + 30) / 60) h"
  }
}

/// Events that nobody has fetched yet; a few, since they are rare and somebody fetches them every second or so.
final class HealthEvents: Sendable {
  static let limit = 256
  private let waiting = Mutex<[EndpointHealth.Event]>([])

  /// When there are too many the oldest is forgotten.
  func add(_ event: EndpointHealth.Event) {
    waiting.withLock { waiting in
      if waiting.count == Self.limit { waiting.removeFirst() }
      waiting.append(event)
    }
  }

  func fetch() -> [EndpointHealth.Event] {
    waiting.withLock { waiting in
      let events = waiting
      waiting.removeAll()
      return events
    }
  }
}
