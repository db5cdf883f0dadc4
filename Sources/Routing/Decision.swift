/// What was decided for one request.
public struct Decision: Sendable {
  /// The endpoints to try, in order; empty when none may serve.
  public var plan: AttemptPlan
  /// The first is an idle endpoint, tried so that what is known of it stays true.
  public var explored: Bool
  /// The first is the only endpoint that accepts the reasoning in the history.
  public var isPinned: Bool
  /// The first is where the conversation's cache is, and that is why.
  public var isHeld: Bool
  /// The history holds reasoning whose makers are known.
  public var hasForeignSignatures: Bool
  /// The place of the one endpoint that made all of it; `nil` when there are several, or it is no longer in the table.
  public var signatureMaker: Int?
  /// Nothing may serve, and at least one only for want of capacity: waiting helps.
  public var isFull: Bool

  /// Whether the reasoning in the history must be taken out before the request goes to this endpoint, which would not
  /// accept it.
  public func stripsSignatures(at place: Int) -> Bool { hasForeignSignatures && place != signatureMaker }
}
