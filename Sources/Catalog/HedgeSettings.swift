/// When a route sends a second attempt beside one whose first token is late, and what that may cost.
public struct HedgeSettings: Sendable, Equatable {
  public var after: After
  /// The most that hedging may add to what the route spends, as a share of it from 0 to 0.5.
  public var share: Double

  /// How late a first token is before the second attempt begins.
  public enum After: Sendable, Equatable {
    /// Later than this share, from 0 to 1, of the endpoint's own first tokens.
    case quantile(Double)
    case fixed(Duration)
  }

  /// What `hedge: true` means.
  public static let standard = HedgeSettings(after: .quantile(0.95), share: 0.05)

  public init(after: After, share: Double) {
    self.after = after
    self.share = share
  }
}
