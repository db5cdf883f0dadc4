/// Which endpoint holds which conversation's prompt in its cache: one for all loops, because a conversation's turns
/// arrive on different ones. Touched once at choosing and once at settling.
///
/// It knows at most 196,608 entries (conversations, and the prefixes that they share), the ones touched last; the lock of
/// one of its 64 parts is held for the time of a look-up. Full, it takes 16 MB with one endpoint for each conversation
/// (measured), and at most about 90 MB with eight for each.
public final class ConversationIndex: Sendable {
  /// How many entries there are at most.
  public static let limit = 2 * ConversationShard.generation * shardCount

  private static let shardCount = 64
  private let shards = (0..<shardCount).map { _ in ConversationShard() }

  public init() {}

  /// How many entries there are.
  public var count: Int { shards.reduce(0) { $0 + $1.state.withLock { $0.count } } }

  /// Appends what endpoints hold of a conversation, each endpoint once: of the conversation's own turns, and of the prefix
  /// that it shares with others of the same client's key.
  ///
  /// Tokens are 0 once the endpoint's cache has been idle for longer than it lives; that it holds the newest turn, or made
  /// signatures, is known for 24 hours after its last turn.
  ///
  /// - Parameter now: monotonic nanoseconds.
  public func held(_ key: ConversationKey, now: UInt64, into held: inout [HeldPrefix]) {
    let begin = held.count
    if let entry = shard(key.conversation).state.withLock({ $0.find(key.conversation) }) {
      for place in 0..<entry.count {
        let holding = entry[place]
        if holding.isForgotten(now: now) { continue }
        let prefix = HeldPrefix(
          endpoint: holding.endpoint, tokens: holding.tokens(now: now), yield: holding.yield,
          isHolder: holding.isHolder, madeSignatures: holding.madeSignatures)
        if prefix.tokens > 0 || prefix.isHolder || prefix.madeSignatures { held.append(prefix) }
      }
    }
    guard let shared = Self.sharedKey(key) else { return }
    guard let entry = shard(shared).state.withLock({ $0.find(shared) }) else { return }
    for place in 0..<entry.count {
      let holding = entry[place]
      let tokens = holding.tokens(now: now)
      if tokens == 0 { continue }
      if let own = held[begin...].firstIndex(where: { $0.endpoint == holding.endpoint }) {
        if held[own].tokens < tokens {
          held[own].tokens = tokens
          held[own].yield = holding.yield
        }
      } else {
        held.append(
          HeldPrefix(
            endpoint: holding.endpoint, tokens: tokens, yield: holding.yield, isHolder: false, madeSignatures: false))
      }
    }
  }

  /// Takes in how a turn ended.
  ///
  /// What is expected of the next turn is this one's prompt; its answer too once the endpoint has proved, by reporting
  /// more cached tokens than the last prompt had, that it keeps answers. A failure takes from the endpoint the tokens and
  /// the place of the holder; that it made signatures stays.
  ///
  /// - Parameters:
  ///   - endpoint: `Endpoint.key`.
  ///   - promptTokens: of the whole prompt, cached ones too.
  ///   - cachedTokens: as reported; `nil` is unknown.
  ///   - expectedCached: tokens that `held` promised of this endpoint when it was chosen; 0: it shows no yield.
  ///   - sharedTokens: of the prefix that the conversation shares with others; 0 when there is none.
  ///   - cacheLife: nanoseconds that the endpoint keeps a cache after its last use.
  ///   - madeSignatures: the answer holds reasoning that only this endpoint accepts back.
  ///   - now: monotonic nanoseconds.
  public func settle(
    _ key: ConversationKey, endpoint: UInt64, promptTokens: Int64, outputTokens: Int64, cachedTokens: Int64?,
    expectedCached: Int64, sharedTokens: Int64, cacheLife: UInt64, madeSignatures: Bool, succeeded: Bool, now: UInt64
  ) {
    shard(key.conversation).state.withLock { state in
      state.update(key.conversation) { entry in
        guard succeeded else { return Self.fail(&entry, endpoint, madeSignatures: madeSignatures, now: now) }
        Self.use(&entry, endpoint, now: now) { holding in
          holding.use(
            prompt: promptTokens, output: outputTokens, cached: cachedTokens, expected: expectedCached,
            cacheLife: cacheLife, now: now)
          if madeSignatures { holding.madeSignatures = true }
        }
        Self.markHolder(&entry, endpoint)
      }
    }
    guard let shared = Self.sharedKey(key), sharedTokens > 0 else { return }
    shard(shared).state.withLock { state in
      state.update(shared) { entry in
        guard succeeded else { return Self.fail(&entry, endpoint, madeSignatures: false, now: now) }
        Self.use(&entry, endpoint, now: now) { holding in
          // The prefix's own share of what was expected: tokens behind it say nothing about it.
          holding.use(
            prompt: sharedTokens, output: 0, cached: cachedTokens, expected: min(expectedCached, sharedTokens),
            cacheLife: cacheLife, now: now)
        }
      }
    }
  }

  private static func use(
    _ entry: inout HoldingSet?, _ endpoint: UInt64, now: UInt64, _ change: (inout Holding) -> Void
  ) {
    var holdings = entry ?? HoldingSet(Holding(endpoint: endpoint, usedAt: now))
    entry = nil
    let place = holdings.add(endpoint, now: now)
    change(&holdings[place])
    entry = holdings
  }

  private static func markHolder(_ entry: inout HoldingSet?, _ endpoint: UInt64) {
    guard var holdings = entry else { return }
    entry = nil
    for place in 0..<holdings.count { holdings[place].isHolder = holdings[place].endpoint == endpoint }
    entry = holdings
  }

  /// Forgets what a failed endpoint had; the whole of it when it made no signatures.
  private static func fail(_ entry: inout HoldingSet?, _ endpoint: UInt64, madeSignatures: Bool, now: UInt64) {
    if entry == nil, madeSignatures { entry = HoldingSet(Holding(endpoint: endpoint, usedAt: now)) }
    guard var holdings = entry else { return }
    guard let place = madeSignatures ? holdings.add(endpoint, now: now) : holdings.place(of: endpoint) else { return }
    guard madeSignatures || holdings[place].madeSignatures else {
      entry = holdings.removing(at: place)
      return
    }
    entry = nil
    holdings[place].fail(now: now, madeSignatures: madeSignatures)
    entry = holdings
  }

  private func shard(_ key: UInt64) -> ConversationShard {
    // Keys need not be spread evenly: the high bits of the product are.
    shards[Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 58)]
  }

  /// The prefix's key in the same index; `nil` when there is no prefix. A prefix is never taken for a conversation.
  private static func sharedKey(_ key: ConversationKey) -> UInt64? {
    key.sharedPrefix == 0 ? nil : key.sharedPrefix &* 0xd6e8_feb8_6659_fd93 ^ 0xa5a5_5a5a_c3c3_3c3c
  }
}
