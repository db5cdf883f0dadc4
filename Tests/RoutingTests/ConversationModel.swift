@testable import Routing

/// The index as simply as it can be written: every turn ever, looked through from the begin.
struct ConversationModel {
  struct Turn {
    var endpoint: UInt64
    var prompt: Int64
    var cacheLife: UInt64
    var shared: Int64
    var signed: Bool
    var succeeded: Bool
    var at: UInt64
  }

  struct Held: Equatable {
    var endpoint: UInt64
    var tokens: Int64
    var isHolder: Bool
    var madeSignatures: Bool

    init(_ prefix: HeldPrefix) {
      self.init(prefix.endpoint, prefix.tokens, prefix.isHolder, prefix.madeSignatures)
    }

    init(_ endpoint: UInt64, _ tokens: Int64, _ isHolder: Bool, _ madeSignatures: Bool) {
      self.endpoint = endpoint
      self.tokens = tokens
      self.isHolder = isHolder
      self.madeSignatures = madeSignatures
    }
  }

  /// What one endpoint has of one conversation or prefix.
  private struct Known {
    var endpoint: UInt64
    var tokens: Int64 = 0
    var usedAt: UInt64
    var cacheLife: UInt64 = 0
    var isHolder = false
    var signed = false

    func tokens(_ now: UInt64) -> Int64 { now - usedAt <= cacheLife ? tokens : 0 }
  }

  private var conversations: [UInt64: [Turn]] = [:]
  private var prefixes: [UInt64: [Turn]] = [:]

  mutating func settle(_ key: ConversationKey, _ turn: Turn) {
    conversations[key.conversation, default: []].append(turn)
    guard key.sharedPrefix != 0, turn.shared > 0 else { return }
    var shared = turn
    shared.prompt = turn.shared
    shared.signed = false
    prefixes[key.sharedPrefix, default: []].append(shared)
  }

  func held(_ key: ConversationKey, now: UInt64) -> [Held] {
    var held: [UInt64: Held] = [:]
    for known in known(conversations[key.conversation] ?? []) where now - known.usedAt <= 24 * 3_600_000_000_000 {
      let found = Held(known.endpoint, known.tokens(now), known.isHolder, known.signed)
      if found.tokens > 0 || found.isHolder || found.madeSignatures { held[known.endpoint] = found }
    }
    for known in known(prefixes[key.sharedPrefix] ?? []) where known.tokens(now) > 0 {
      held[known.endpoint, default: Held(known.endpoint, 0, false, false)].tokens = max(
        held[known.endpoint]?.tokens ?? 0, known.tokens(now))
    }
    return held.values.sorted { $0.endpoint < $1.endpoint }
  }

  private func known(_ turns: [Turn]) -> [Known] {
    var all: [Known] = []
    for turn in turns {
      let was = all.first { $0.endpoint == turn.endpoint }
      all.removeAll { $0.endpoint == turn.endpoint }
      if turn.succeeded {
        for place in all.indices { all[place].isHolder = false }
        add(
          Known(
            endpoint: turn.endpoint, tokens: turn.prompt, usedAt: turn.at, cacheLife: turn.cacheLife, isHolder: true,
            signed: was?.signed == true || turn.signed), to: &all)
      } else if turn.signed || was?.signed == true {
        add(
          Known(endpoint: turn.endpoint, usedAt: turn.signed ? turn.at : was?.usedAt ?? turn.at, signed: true), to: &all
        )
      }
    }
    return all
  }

  private func add(_ known: Known, to all: inout [Known]) {
    if all.count == HoldingSet.limit {
      let usual = all.filter { !$0.signed }
      let oldest = (usual.isEmpty ? all : usual).min { $0.usedAt < $1.usedAt }
      all.removeAll { $0.endpoint == oldest?.endpoint }
    }
    all.append(known)
  }
}
