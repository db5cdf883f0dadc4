import CLinux
import Catalog
import Dispatch
import HTTP
import Loop
import Metering
import Relay
import Routing
import Synchronization
import Telemetry
import Upstream

#if canImport(Glibc)
  import Glibc
#endif

/// The data plane: one loop per core, each with its own listener, connections, upstream side and journal. The admin
/// plane talks to it through its mailboxes alone.
public final class DataPlane: Sendable {
  public struct Configuration: Sendable {
    public var host: String
    public var port: UInt16
    public var loops: Int
    public var snapshot: RelaySnapshot
    /// What clients speak on the public listener; plain HTTP without one.
    public var tls: TLSContext?
    public var instance: JournalInstance
    /// What all loops count together.
    let admission: Admission

    public init(
      host: String, port: UInt16, loops: Int, snapshot: RelaySnapshot, tls: TLSContext?, instance: JournalInstance
    ) {
      self.host = host
      self.port = port
      self.loops = loops
      self.snapshot = snapshot
      self.tls = tls
      self.instance = instance
      admission = Admission(snapshot.table)
    }
  }

  enum Message: Sendable {
    case adopt(RelaySnapshot, TLSContext?)
    case know(Knowledge, of: RouteTable)
    case drain
    case stop
  }

  private let mailboxes: [Mailbox<Message>]
  private let threads: [LoopThread]
  private let admission: Admission
  /// One per loop.
  public let counters: [LoopCounters]
  private let observations: [ObservationOutbox]
  /// The port that was asked for, or that the system gave.
  public let port: Int

  /// Starts the loops and returns once all of them listen.
  ///
  /// - Throws: `SystemError` when an address cannot be listened on, `JournalError` when a journal cannot be made.
  public init(_ configuration: Configuration) throws {
    CurlClient.initializeProcess()
    Self.allowDescriptors()
    let taken = pm_check_free(configuration.host, configuration.port)
    if taken < 0 { throw SystemError(call: "listen", code: -taken) }
    var mailboxes: [Mailbox<Message>] = []
    var threads: [LoopThread] = []
    var counters: [LoopCounters] = []
    var observations: [ObservationOutbox] = []
    var configuration = configuration
    for index in 0..<max(configuration.loops, 1) {
      let mailbox = try Mailbox<Message>()
      let counter = LoopCounters()
      let outbox = ObservationOutbox()
      let started = Start()
      let current = configuration
      let thread = try LoopThread(name: "loop-\(index)") {
        do {
          let loop = try DataLoop(configuration: current, index: index, mailbox: mailbox, counters: counter, outbox)
          started.report(.success(loop.port))
          loop.run()
        } catch {
          started.report(.failure(error))
        }
      }
      do {
        configuration.port = UInt16(clamping: try started.wait())
      } catch {
        for mailbox in mailboxes { mailbox.post(.stop) }
        for thread in threads + [thread] { thread.join() }
        throw error
      }
      mailboxes.append(mailbox)
      threads.append(thread)
      counters.append(counter)
      observations.append(outbox)
    }
    admission = configuration.admission
    self.mailboxes = mailboxes
    self.threads = threads
    self.counters = counters
    self.observations = observations
    port = Int(configuration.port)
  }

  /// New requests are served by this table, new connections under this certificate; running ones finish under theirs.
  public func adopt(_ snapshot: RelaySnapshot, tls: TLSContext?) {
    admission.adopt(snapshot.table)
    for mailbox in mailboxes { mailbox.post(.adopt(snapshot, tls)) }
  }

  /// New requests are decided by this, as long as this table is the one that is served.
  public func adopt(_ knowledge: Knowledge, of table: RouteTable) {
    for mailbox in mailboxes { mailbox.post(.know(knowledge, of: table)) }
  }

  /// What the attempts of all loops taught since the last call.
  public func fetchObservations() -> [AttemptObservation] { observations.flatMap { $0.fetch() } }

  /// Stops accepting. Each loop ends by itself once its last completion has.
  public func drain() {
    for mailbox in mailboxes { mailbox.post(.drain) }
  }

  /// Ends what still runs with an honest error, writes the journals and ends the loops.
  public func stop() {
    for mailbox in mailboxes { mailbox.post(.stop) }
  }

  /// Waits until every loop has ended.
  public func join() {
    for thread in threads { thread.join() }
  }

  /// As many descriptors as the process may have: a completion takes two, and often only 1,024 are given at first.
  private static func allowDescriptors() {
    let descriptors = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(descriptors, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(descriptors, &limit)
  }

  /// A loop's thread reports here that it listens, or why it cannot.
  private final class Start: Sendable {
    private let result = Mutex<Result<Int, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    func report(_ value: Result<Int, any Error>) {
      result.withLock { $0 = value }
      done.signal()
    }

    func wait() throws -> Int {
      done.wait()
      return try result.withLock { $0 }?.get() ?? 0
    }
  }
}
