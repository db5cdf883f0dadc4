import Wire

extension ConversationKey {
  /// The key of a conversation. Two clients' keys never share one, and nobody can make a key that equals another
  /// client's: the hash is Swift's own, whose seed is new in every process (the index is never written down).
  ///
  /// - Parameters:
  ///   - sessionID: what the client calls the conversation; it stands in for the hash of its messages.
  ///   - clientKey: the name of the client's key; empty for an open listener.
  public init(_ hash: ConversationHash, sessionID: String?, clientKey: String) {
    let conversation =
      if let sessionID {
        Self.mix(clientKey, 1, sessionID)
      } else {
        Self.mix(clientKey, 2, hash.conversation)
      }
    let shared = hash.sharedPrefix == 0 ? 0 : max(Self.mix(clientKey, 3, hash.sharedPrefix), 1)
    self.init(conversation: conversation, sharedPrefix: shared)
  }

  private static func mix(_ clientKey: String, _ kind: UInt8, _ identity: some Hashable) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(clientKey)
    hasher.combine(kind)
    hasher.combine(identity)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}
