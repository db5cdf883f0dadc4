import Testing
import Wire

@testable import Routing

@Suite("The conversation index")
struct ConversationIndexTests {
  static let second: UInt64 = 1_000_000_000
  static let begin: UInt64 = 1_000 * second
  static let hour: UInt64 = 3_600 * second
  let index = ConversationIndex()
  let key = ConversationKey(conversation: 1, sharedPrefix: 0)

  private func settle(
    _ key: ConversationKey, _ endpoint: UInt64, prompt: Int64 = 1_000, output: Int64 = 100, cached: Int64? = nil,
    expected: Int64 = 0, shared: Int64 = 0, signed: Bool = false, succeeded: Bool = true, now: UInt64 = begin
  ) {
    index.settle(
      key, endpoint: endpoint, promptTokens: prompt, outputTokens: output, cachedTokens: cached,
      expectedCached: expected, sharedTokens: shared, cacheLife: 300 * Self.second, madeSignatures: signed,
      succeeded: succeeded, now: now)
  }

  private func held(_ key: ConversationKey, now: UInt64 = begin) -> [HeldPrefix] {
    var held: [HeldPrefix] = []
    index.held(key, now: now, into: &held)
    return held
  }

  @Test("A conversation grows turn by turn: the newest prompt is expected, and the endpoint is the holder")
  func turns() throws {
    #expect(held(key).isEmpty)
    for turn: Int64 in 1...20 {
      settle(key, 7, prompt: 1_000 * turn, cached: 900 * (turn - 1), expected: 1_000 * (turn - 1))
      let now = try #require(held(key).first)
      #expect(now.endpoint == 7 && now.tokens == 1_000 * turn && now.isHolder && !now.madeSignatures)
      #expect(abs(now.yield - 0.9) < 0.001)
    }
    settle(key, 8, prompt: 21_000)
    #expect(held(key).map(\.endpoint).sorted() == [7, 8])
    #expect(held(key).first { $0.isHolder }?.endpoint == 8)
    #expect(held(key).first { $0.endpoint == 7 }?.tokens == 20_000)
  }

  @Test("The yield follows what is reported, only when something was to be expected")
  func yields() throws {
    settle(key, 7, cached: 0, expected: 0)
    #expect(abs(held(key)[0].yield - 0.9) < 0.001)
    var last = 0.9
    for _ in 0..<6 {
      settle(key, 7, cached: 0, expected: 1_000)
      let now = held(key)[0].yield
      #expect(now < last)
      last = now
    }
    #expect(last < 0.05)
    settle(key, 7, cached: nil, expected: 1_000)
    #expect(held(key)[0].yield == last)
    for _ in 0..<12 { settle(key, 7, cached: Int64.max, expected: 1_000) }
    #expect(held(key)[0].yield > 0.99 && held(key)[0].yield <= 1)
  }

  @Test("The answer counts as cached only at an endpoint that reported more than the last prompt")
  func outputs() {
    settle(key, 7, prompt: 1_000, output: 200)
    #expect(held(key)[0].tokens == 1_000)
    settle(key, 7, prompt: 1_300, output: 100, cached: 1_190, expected: 1_000)
    #expect(held(key)[0].tokens == 1_400)
    settle(key, 7, prompt: 1_500, output: 100, cached: 1_280, expected: 1_400)
    #expect(held(key)[0].tokens == 1_500)
  }

  @Test("Tokens are gone when the cache was idle for its life; each use prolongs it; the holder is known for a day")
  func expiry() throws {
    settle(key, 7, signed: true)
    #expect(held(key, now: Self.begin + 300 * Self.second)[0].tokens == 1_000)
    settle(key, 7, prompt: 2_000, now: Self.begin + 299 * Self.second)
    #expect(held(key, now: Self.begin + 599 * Self.second)[0].tokens == 2_000)
    let later = try #require(held(key, now: Self.begin + 600 * Self.second).first)
    #expect(later.tokens == 0 && later.isHolder && later.madeSignatures)
    #expect(held(key, now: Self.begin + 24 * Self.hour).count == 1)
    #expect(held(key, now: Self.begin + 25 * Self.hour).isEmpty)
    // A clock that another loop read a moment earlier.
    #expect(held(key, now: Self.begin - 1)[0].tokens == 2_000)
  }

  @Test("A failure takes the tokens and the place of the holder; signatures stay")
  func failure() {
    settle(key, 7)
    settle(key, 8)
    settle(key, 8, succeeded: false)
    #expect(held(key).count == 1 && held(key)[0].endpoint == 7 && held(key)[0].tokens == 1_000)
    #expect(!held(key)[0].isHolder)
    settle(key, 7, signed: true)
    settle(key, 7, succeeded: false)
    #expect(held(key).count == 1 && held(key)[0].tokens == 0 && !held(key)[0].isHolder && held(key)[0].madeSignatures)
    let other = ConversationKey(conversation: 2, sharedPrefix: 0)
    settle(other, 7, succeeded: false)
    #expect(held(other).isEmpty && index.count == 1)
    settle(other, 7, signed: true, succeeded: false)
    #expect(held(other).map(\.madeSignatures) == [true])
  }

  @Test("A shared prefix is held for other conversations; each endpoint is named once, with the larger of the two")
  func sharedPrefix() {
    let (one, other) = (
      ConversationKey(conversation: 1, sharedPrefix: 9), ConversationKey(conversation: 2, sharedPrefix: 9)
    )
    settle(one, 7, prompt: 5_000, shared: 800)
    #expect(held(one).map(\.tokens) == [5_000])
    #expect(held(other).map(\.tokens) == [800] && held(other).allSatisfy { !$0.isHolder })
    settle(other, 7, prompt: 900, cached: 400, expected: 800, shared: 800, now: Self.begin + 200 * Self.second)
    #expect(abs(held(other)[0].yield - 0.7) < 0.001)
    // The conversation's own cache is old; the prefix was used since.
    let now = held(one, now: Self.begin + 400 * Self.second)
    #expect(now.map(\.tokens) == [800] && now.map(\.isHolder) == [true])
    settle(one, 7, shared: 800, succeeded: false)
    #expect(held(one).isEmpty)
    #expect(held(other).map(\.tokens) == [900])
  }

  @Test("A conversation has at most eight endpoints: of those without signatures the one used longest ago goes")
  func eight() {
    settle(key, 100, signed: true, now: 1)
    for endpoint: UInt64 in 1...20 { settle(key, endpoint, now: Self.begin + endpoint) }
    #expect(held(key).map(\.endpoint).sorted() == Array(14...20) + [100])
    #expect(held(key).filter(\.isHolder).map(\.endpoint) == [20])
  }

  @Test("The index is bounded, and keeps what was touched last")
  func bound() {
    let kept = ConversationKey(conversation: 0, sharedPrefix: 0)
    settle(kept, 7)
    for conversation in 1...UInt64(300_000) {
      settle(ConversationKey(conversation: conversation, sharedPrefix: 0), 7)
      if conversation % 10_000 == 0 { _ = held(kept) }
    }
    #expect(index.count <= ConversationIndex.limit && ConversationIndex.limit <= 200_000)
    #expect(index.count > ConversationIndex.limit / 2 - 64)
    #expect(held(kept).count == 1)
    #expect(held(ConversationKey(conversation: 1, sharedPrefix: 0)).isEmpty)
    let newest = (290_000...300_000).filter { held(ConversationKey(conversation: $0, sharedPrefix: 0)).count == 1 }
    #expect(newest.count == 10_001)
  }

  @Test("A session id stands in for the messages; another client's key never sees the same conversation")
  func keys() {
    let hash = ConversationHash(sharedPrefix: 3, conversation: 4, sharedPrefixBytes: 10)
    let other = ConversationHash(sharedPrefix: 3, conversation: 5, sharedPrefixBytes: 10)
    let own = ConversationKey(hash, sessionID: nil, clientKey: "a")
    #expect(own == ConversationKey(hash, sessionID: nil, clientKey: "a"))
    #expect(own.conversation != ConversationKey(other, sessionID: nil, clientKey: "a").conversation)
    #expect(own.sharedPrefix == ConversationKey(other, sessionID: nil, clientKey: "a").sharedPrefix)
    let session = ConversationKey(hash, sessionID: "s", clientKey: "a")
    #expect(session == ConversationKey(other, sessionID: "s", clientKey: "a"))
    #expect(session.conversation != own.conversation)
    for sessionID in [nil, "s"] {
      let (mine, yours) = (
        ConversationKey(hash, sessionID: sessionID, clientKey: "a"),
        ConversationKey(hash, sessionID: sessionID, clientKey: "b")
      )
      settle(mine, 7, shared: 500)
      #expect(!held(mine).isEmpty && held(yours).isEmpty)
    }
    let none = ConversationHash(sharedPrefix: 0, conversation: 4, sharedPrefixBytes: 0)
    #expect(ConversationKey(none, sessionID: nil, clientKey: "a").sharedPrefix == 0)
  }

  @Test("Random turns agree with a simple model of the index")
  func model() {
    var random = FastRandom(seed: 21)
    var model = ConversationModel()
    var now = Self.begin
    for _ in 0..<4_000 {
      let key = ConversationKey(conversation: UInt64(random.below(40)), sharedPrefix: UInt64(random.below(4)))
      let endpoint = UInt64(random.below(12)) + 1
      now += UInt64(random.below(40)) * Self.second
      if random.below(500) == 0 { now += UInt64(random.below(30)) * Self.hour }
      if random.below(3) == 0 {
        let turn = ConversationModel.Turn(
          endpoint: endpoint, prompt: Int64(random.below(5_000)), cacheLife: UInt64(random.below(600)) * Self.second,
          shared: Int64(random.below(3)) * 400, signed: random.below(10) == 0, succeeded: random.below(5) != 0,
          at: now)
        index.settle(
          key, endpoint: endpoint, promptTokens: turn.prompt, outputTokens: 50, cachedTokens: nil, expectedCached: 0,
          sharedTokens: turn.shared, cacheLife: turn.cacheLife, madeSignatures: turn.signed,
          succeeded: turn.succeeded, now: now)
        model.settle(key, turn)
      }
      let seen = held(key, now: now).sorted { $0.endpoint < $1.endpoint }
      #expect(seen.map { ConversationModel.Held($0) } == model.held(key, now: now))
    }
  }

  @Test("Eight threads at once: each finds its own conversation as it left it")
  func threads() async {
    let index = index
    await withTaskGroup(of: Int.self) { group in
      for thread in 0..<8 {
        group.addTask {
          var wrong = 0
          for turn in 1...5_000 {
            let key = ConversationKey(conversation: UInt64(thread * 100 + turn % 50), sharedPrefix: 1)
            index.settle(
              key, endpoint: UInt64(thread), promptTokens: Int64(turn), outputTokens: 1, cachedTokens: 1,
              expectedCached: 1, sharedTokens: 1, cacheLife: Self.hour, madeSignatures: false, succeeded: true,
              now: Self.begin)
            var held: [HeldPrefix] = []
            index.held(key, now: Self.begin, into: &held)
            if held.first(where: { $0.isHolder })?.tokens != Int64(turn) { wrong += 1 }
          }
          return wrong
        }
      }
      for await wrong in group { #expect(wrong == 0) }
    }
    #expect(index.count == 8 * 50 + 1)
  }
}
