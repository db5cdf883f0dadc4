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

/// What may change while the router runs, as one immutable value: a running completion keeps the one it began with.
public struct RelaySnapshot: Sendable {
  public var table: RouteTable
  public var health: EndpointHealth
  /// For each provider `host:port:address,…` as libcurl wants it; `nil` for a literal address; empty when the name has
  /// not resolved.
  public var addresses: [String?]

  public init(table: RouteTable, health: EndpointHealth, addresses: [String?]) {
    self.table = table
    self.health = health
    self.addresses = addresses
  }
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

  /// Streams whose answer has begun, those that have ended, and clients that left before their answer's end, so far.
  public internal(set) var streamsOpened: UInt64 = 0
  public internal(set) var streamsClosed: UInt64 = 0
  public internal(set) var clientsLeft: UInt64 = 0
  /// Completions under way.
  public var completionCount: Int { running.count }

  public init(
    loop: EventLoop, upstream: any UpstreamClient, sink: any UsageSink, presenter: any ErrorPresenter,
    snapshot: RelaySnapshot, seed: UInt64
  ) {
    self.loop = loop
    self.upstream = upstream
    self.sink = sink
    self.presenter = presenter
    self.snapshot = snapshot
    targets = EndpointTargets(snapshot: snapshot)
    random = FastRandom(seed: seed)
  }

  /// From now on new completions use this table; running ones finish under theirs.
  public func adopt(_ snapshot: RelaySnapshot) {
    self.snapshot = snapshot
    targets = EndpointTargets(snapshot: snapshot)
  }

  /// Takes on a request that has been read, scanned and admitted.
  ///
  /// - Parameters:
  ///   - route: the place of the route in the current table.
  ///   - key: the name of the client's key, empty when the listener is open.
  ///   - hop: how many routers of this kind the request has passed before.
  public func begin(
    on connection: Connection, request: RequestScan, kind: RequestKind, route: Int, key: String, hop: Int
  ) {
    let completion = Completion(
      relay: self, connection: connection, request: request, kind: kind, route: route, key: key, hop: hop)
    connection.exchange = completion
    running[ObjectIdentifier(completion)] = completion
    completion.start()
  }

  func nextID() -> RecordID { ids.next(unixMilliseconds: UInt64(clamping: loop.wallMilliseconds)) }

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
