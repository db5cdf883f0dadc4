import Catalog
import Routing
import Wire

/// What may change while the router runs, as one immutable value: a running completion keeps the one it began with.
public struct RelaySnapshot: Sendable {
  public let candidates: CandidateTable
  public let health: EndpointHealth
  /// What is known of the endpoints; renewed a few times a second.
  public var knowledge: Knowledge
  /// Where conversations have their caches; one for all loops, and for all tables.
  public let conversations: ConversationIndex
  /// For each provider `host:port:address,…` as libcurl wants it; `nil` for a literal address; empty when the name has
  /// not resolved.
  public var addresses: [String?]

  public var table: RouteTable { candidates.table }

  public init(
    candidates: CandidateTable, health: EndpointHealth, knowledge: Knowledge, conversations: ConversationIndex,
    addresses: [String?]
  ) {
    self.candidates = candidates
    self.health = health
    self.knowledge = knowledge
    self.conversations = conversations
    self.addresses = addresses
  }

  /// Reads a request as the decision wants it; looks up what endpoints hold of its conversation.
  ///
  /// - Parameters:
  ///   - now: monotonic nanoseconds.
  ///   - unixSeconds: the wall clock.
  public func ask(
    _ scan: RequestScan, from source: RequestSource, now: UInt64, unixSeconds: Int64
  ) throws(UnknownName) -> AskedQuestion {
    var key: ConversationKey?
    var held: [HeldPrefix] = []
    let session = scan.controls?.sessionID ?? source.controls?.sessionID ?? source.sessionID
    if let hash = scan.conversation {
      let made = ConversationKey(hash, sessionID: session, clientKey: source.key)
      conversations.held(made, now: now, into: &held)
      key = made
    }
    let question = try Question(
      scan, from: source, in: candidates, knowledge, held: held, unixSeconds: unixSeconds)
    return AskedQuestion(question: question, conversation: key)
  }
}

/// A request as the decision wants it, and whose conversation it belongs to.
public struct AskedQuestion: Sendable {
  public var question: Question
  /// `nil` for a request without messages.
  public var conversation: ConversationKey?
}
