import HTTP
import Loop
import Metering
import Relay
import Telemetry
import Upstream

/// Everything that belongs to one loop of the data plane, and the order of its round. Belongs to that loop.
final class DataLoop: RoundDriver, TimerTarget {
  private let loop: EventLoop
  private let server: Server
  private let upstream: CurlClient
  private let journal: Journal
  private let relay: Relay
  private let gateway: Gateway
  private let counters: LoopCounters
  private var retryTimer = -1
  private var isDraining = false
  private var isStopping = false
  /// How many of the clients that were turned away unread are counted.
  private var knownTurnedAway: UInt64 = 0

  var port: Int { server.port }

  init(
    configuration: DataPlane.Configuration, index: Int, mailbox: Mailbox<DataPlane.Message>, counters: LoopCounters,
    _ observations: ObservationOutbox
  ) throws {
    self.counters = counters
    let loop = EventLoop(poller: try EpollPoller())
    self.loop = loop
    let journal = try Journal(instance: configuration.instance, loop: index)
    self.journal = journal
    let upstream = CurlClient(loop: loop)
    self.upstream = upstream
    let snapshot = configuration.snapshot
    let admission = configuration.admission
    gateway = Gateway(
      counters: counters, address: configuration.host, table: snapshot.table, admission: admission)
    var system = SystemRandomNumberGenerator()
    relay = Relay(
      loop: loop, upstream: upstream, sink: journal, presenter: gateway, snapshot: snapshot,
      observations: observations, seed: system.next())
    gateway.relay = relay
    server = try Server(
      loop: loop, host: configuration.host, port: configuration.port, limits: admission.serverLimits,
      handler: gateway, tls: configuration.tls,
      farewell: gateway.farewell,
      isDurable: { journal.pendingBytes == 0 })
    retryTimer = loop.addTimer(self)
    loop.driver = self
    mailbox.attach(to: loop) { [unowned self] in receive($0) }
  }

  func run() {
    loop.run()
    server.closeAll()
    upstream.close()
    _ = journal.close()
  }

  private func receive(_ message: DataPlane.Message) {
    switch message {
    case .adopt(let snapshot, let tls):
      relay.adopt(snapshot)
      gateway.adopt(snapshot.table)
      server.tls = tls
      server.farewell = gateway.farewell
    case .know(let knowledge, let table):
      relay.adopt(knowledge, of: table)
    case .drain:
      isDraining = true
      gateway.isReady = false
      server.drain()
    case .stop:
      isDraining = true
      isStopping = true
      gateway.isReady = false
      gateway.isStopping = true
      server.drain()
    }
  }

  // MARK: - The round

  /// Open records before curl is driven, settle records before the writes that end a response.
  func driveRound() -> Bool {
    server.resumePipelined()
    // Whatever has begun since, a next attempt too.
    if isStopping { relay.stopAll() }
    upstream.beginRound()
    var more = false
    for _ in 0..<8 {
      let opened = flushJournal()
      more = upstream.drive(mayStart: opened)
      if !more { break }
    }
    let settled = flushJournal()
    let isHeld = server.flush()
    relay.sendObservations()
    if !settled || isHeld { loop.arm(retryTimer, at: loop.now &+ 50_000_000) }
    count()
    if isDraining, relay.completionCount == 0, isStopping || server.connectionCount == 0 { loop.stop() }
    return more || isStopping || server.hasResumable || upstream.hasChanges
  }

  private func flushJournal() -> Bool {
    if journal.pendingBytes == 0 || journal.flush() { return true }
    counters.add(.journalFailures)
    return false
  }

  /// Nothing to do but another round: the journal is tried again in it.
  func timerFired(now: UInt64) {}

  /// Publishes what has changed since the last round.
  private func count() {
    counters.add(.rounds)
    publish(.connectionsAccepted, server.accepted)
    publish(.connectionsClosed, server.accepted &- UInt64(server.connectionCount))
    publish(.bytesReceived, server.bytesReceived)
    publish(.bytesSent, server.bytesSent)
    publish(.streamsOpened, relay.streamsOpened)
    publish(.streamsClosed, relay.streamsClosed)
    publish(.clientsLeft, relay.clientsLeft)
    publish(.slowRounds, loop.slowRounds)
    let turnedAway = server.turnedAway
    if turnedAway != knownTurnedAway { counters.add(.refused(status: 503), turnedAway &- knownTurnedAway) }
    knownTurnedAway = turnedAway
  }

  private func publish(_ counter: LoopCounter, _ total: UInt64) {
    let known = counters.value(of: counter)
    if total != known { counters.add(counter, total &- known) }
  }
}
