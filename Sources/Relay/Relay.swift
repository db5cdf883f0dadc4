import Catalog
import HTTP
import Loop
import Metering
import Routing
import Upstream
import Wire

/// Where attempts are recorded. Belongs to one loop; it only takes note, the round writes.
public protocol UsageSink: AnyObject {
  /// False when the ledger cannot take another attempt: the attempt must not be made.
  func append(_ record: AttemptOpened) -> Bool
  func append(_ record: AttemptSettled) -> Bool
}

extension Journal: UsageSink {}

/// Puts a router error into the words of the API. Belongs to one loop.
public protocol ErrorPresenter: AnyObject {
  /// Answers a request that has no response yet.
  func respond(_ error: RouterError, on connection: Connection, completion: RecordID)
  /// The status and type that an in-band error event carries.
  func inBand(_ error: RouterError) -> (code: Int, type: String)
}

/// Makes and drives the completions of one loop. Belongs to that loop.
public final class Relay {
  let loop: EventLoop
  let upstream: any UpstreamClient
  let sink: any UsageSink
  unowned let presenter: any ErrorPresenter
  var random: FastRandom
  private var ids = RecordIDSource()
  private(set) var targets: EndpointTargets
  public private(set) var snapshot: RelaySnapshot
  private var running: [ObjectIdentifier: Completion] = [:]
  /// What this loop's attempts taught, on its way to the one who folds it.
  let observations: ObservationOutbox
  private var unsent: [AttemptObservation] = []

  /// Streams whose answer has begun, those that have ended, and clients that left before their answer's end, so far.
  public internal(set) var streamsOpened: UInt64 = 0
  public internal(set) var streamsClosed: UInt64 = 0
  public internal(set) var clientsLeft: UInt64 = 0
  /// Completions under way.
  public var completionCount: Int { running.count }

  public init(
    loop: EventLoop, upstream: any UpstreamClient, sink: any UsageSink, presenter: any ErrorPresenter,
    snapshot: RelaySnapshot, observations: ObservationOutbox, seed: UInt64
  ) {
    self.loop = loop
    self.upstream = upstream
    self.sink = sink
    self.presenter = presenter
    self.snapshot = snapshot
    self.observations = observations
    targets = EndpointTargets(snapshot: snapshot)
    random = FastRandom(seed: seed)
  }

  /// From now on new completions use this table; running ones finish under theirs.
  public func adopt(_ snapshot: RelaySnapshot) {
    self.snapshot = snapshot
    targets = EndpointTargets(snapshot: snapshot)
  }

  /// From now on new completions are decided by this, if it is about the table that they use.
  public func adopt(_ knowledge: Knowledge, of table: RouteTable) {
    if table === snapshot.table { snapshot.knowledge = knowledge }
  }

  func observe(_ observation: AttemptObservation) {
    unsent.append(observation)
    // In a burst some answers go unjudged: what waits to be judged is bounded.
    if observation.sample != nil {
      samplesWaiting += 1
      if samplesWaiting > Self.sampleLimit { unsent[unsent.count - 1].sample = nil }
    }
  }
  private static let sampleLimit = 64
  private var samplesWaiting = 0

  /// Hands over what was observed in this round.
  public func sendObservations() {
    if unsent.isEmpty { return }
    samplesWaiting = 0
    observations.append(&unsent)
  }

  /// What a request asks of the choice, with what is known now.
  public func ask(_ scan: RequestScan, from source: RequestSource) throws(UnknownName) -> AskedQuestion {
    try snapshot.ask(scan, from: source, now: loop.now, unixSeconds: loop.wallMilliseconds / 1000)
  }

  /// Takes on a request that has been read, scanned and admitted.
  ///
  /// - Parameters:
  ///   - asked: what it asks of the choice.
  ///   - key: the name of the client's key, empty when the listener is open.
  ///   - hop: how many routers of this kind the request has passed before.
  ///   - showsChoice: the client wants `openrouter_metadata` in the answer.
  ///   - resumes: whether a cut answer may be carried on elsewhere, as the client says; `nil`: as the route says.
  public func begin(
    on connection: Connection, request: RequestScan, asked: AskedQuestion, key: String, hop: Int, showsChoice: Bool,
    resumes: Bool?
  ) {
    let completion = Completion(
      relay: self, connection: connection, request: request, asked: asked, key: key, hop: hop,
      showsChoice: showsChoice, resumes: resumes)
    connection.exchange = completion
    running[ObjectIdentifier(completion)] = completion
    completion.start()
  }

  /// The decision with what is known now.
  var selection: Selection {
    Selection(snapshot.candidates, snapshot.knowledge, snapshot.health, now: loop.now)
  }

  /// An id for a completion, an attempt or an answer that is neither.
  public func nextID() -> RecordID { ids.next(unixMilliseconds: UInt64(clamping: loop.wallMilliseconds)) }

  /// The wall clock in seconds since 1970 as digits, made once a second.
  var createdDigits: [UInt8] {
    let second = loop.wallMilliseconds / 1000
    if second != createdSecond {
      createdSecond = second
      createdText = Array("\(second)".utf8)
    }
    return createdText
  }
  private var createdSecond: Int64 = -1
  private var createdText: [UInt8] = []

  func forget(_ completion: Completion) { running[ObjectIdentifier(completion)] = nil }

  /// Ends every completion with an error, in good order: the process is stopping.
  public func stopAll() {
    for completion in running.values { completion.routerStops() }
  }
}
