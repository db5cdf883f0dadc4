/// Whose turns belong together. Scoped to the client's key, so that nobody learns of another's caches.
public struct ConversationKey: Sendable, Hashable {
  /// Of the conversation, the client's key mixed in.
  public var conversation: UInt64
  /// Of the leading part that the conversations of one agent share, the client's key mixed in; 0 when there is none.
  public var sharedPrefix: UInt64

  public init(conversation: UInt64, sharedPrefix: UInt64) {
    self.conversation = conversation
    self.sharedPrefix = sharedPrefix
  }
}

/// What one endpoint probably still has in its prompt cache of a request.
public struct HeldPrefix: Sendable, Equatable {
  /// `Endpoint.key`.
  public var endpoint: UInt64
  /// Prompt tokens of this conversation's last turn there, or of the prefix that it shares with others.
  public var tokens: Int64
  /// Which share of such tokens it reported as cached when it last had the chance; 0 to 1.
  public var yield: Double
  /// It served this conversation's newest turn.
  public var isHolder: Bool
  /// It made reasoning that only it accepts back, in this conversation.
  public var madeSignatures: Bool

  public init(endpoint: UInt64, tokens: Int64, yield: Double, isHolder: Bool, madeSignatures: Bool) {
    self.endpoint = endpoint
    self.tokens = tokens
    self.yield = yield
    self.isHolder = isHolder
    self.madeSignatures = madeSignatures
  }
}
