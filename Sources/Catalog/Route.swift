/// The model name that a client types, its models and its policy.
public struct Route: Sendable {
  /// The place in `RouteTable.routes`.
  public let index: Int
  public let name: String
  /// Not written in the file: a model's own name is a route too.
  public let isImplied: Bool
  /// Places in `RouteTable.models`, in the order of preference.
  public let models: [Int]
  /// For each of `models` the places of its usable endpoints in `RouteTable.endpoints`, in the order of the file.
  public let tiers: [[Int]]
  /// All of `tiers`, one after the other.
  public let candidates: [Int]
  public let policy: SelectionPolicySpec
  public let onClientLeave: ClientLeave
  /// Deadlines that differ from the provider's.
  public let timeouts: TimeoutChanges

  /// What happens to the attempt when its client leaves.
  public enum ClientLeave: Sendable, Equatable {
    /// Cut at once.
    case cancel
    /// Read on, to learn the true usage, for at most this long.
    case drain(Duration)
  }
}

/// How a route chooses among its candidates, ready to be used.
public enum SelectionPolicySpec: Sendable, Equatable {
  /// Inverse square of price among the stable ones.
  case `default`
  /// Places in `RouteTable.endpoints`: all candidates of the route, the named ones first, the others in their order.
  case order([Int])
  /// Parallel to `Route.candidates`; not negative, at least one above 0. A candidate of weight 0 is only a fallback.
  case weighted([Double])
}
