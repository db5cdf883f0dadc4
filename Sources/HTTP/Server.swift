import CLinux
import Loop

#if canImport(Glibc)
  import Glibc
#endif

/// The HTTP/1.1 server of one loop: its listener, its connections, and the round's writes. Belongs to one loop.
public final class Server: PollTarget, TimerTarget {
  private static let backlog = 4096

  public let loop: EventLoop
  public let limits: ServerLimits
  let handler: any RequestHandler
  private let listener: Int32
  private var registration: Registration?
  private var restTimer = -1
  private var dirty: ContiguousArray<Connection> = []
  private var resumable: ContiguousArray<Connection> = []
  private var open: [ObjectIdentifier: Connection] = [:]
  /// What connections accepted from now on speak: TLS, or plain HTTP when there is none.
  public var tls: TLSContext?
  /// Answers whether records up to a mark are durable; terminal bytes wait for it.
  private let isDurable: () -> Bool
  /// What a connection is sent that is not even read, before it is closed; TLS clients cannot be told.
  public var farewell: [UInt8]
  /// Connections at hand that were accepted beyond the bound, and those so far that were not even read.
  private var surplusCount = 0
  public private(set) var turnedAway: UInt64 = 0
  /// Set when the process drains: responses then carry `Connection: close`.
  public private(set) var isDraining = false

  /// The port that the listener got.
  public let port: Int

  /// Memory for the next connection that reads: most requests are read and parsed in one go.
  var spareInput = ByteBuffer()
  /// Bytes read from clients and written to them so far.
  public internal(set) var bytesReceived: UInt64 = 0
  public internal(set) var bytesSent: UInt64 = 0
  /// Connections accepted so far, and open now.
  public private(set) var accepted: UInt64 = 0
  public var connectionCount: Int { open.count }

  /// Listens on a literal address.
  ///
  /// - Parameters:
  ///   - tls: what clients speak; plain HTTP without one.
  ///   - farewell: a whole response for those who come when there is no room even to read what they want.
  ///   - isDurable: false holds back every response end until it answers true.
  /// - Throws: `SystemError`, for example when the port is taken.
  public init(
    loop: EventLoop, host: String, port: UInt16, limits: ServerLimits = ServerLimits(), handler: any RequestHandler,
    tls: TLSContext? = nil, farewell: [UInt8] = [], isDurable: @escaping () -> Bool = { true }
  ) throws(SystemError) {
    self.loop = loop
    self.limits = limits
    self.handler = handler
    self.tls = tls
    self.farewell = farewell
    self.isDurable = isDurable
    listener = pm_listen(host, port, Int32(Self.backlog))
    if listener < 0 { throw SystemError(call: "listen on \(host):\(port)", code: -listener) }
    self.port = Int(pm_local_port(listener))
    // Accepted connections inherit it. A kernel that refuses only holds more.
    var unsent = limits.unsentInKernel
    setsockopt(listener, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &unsent, socklen_t(MemoryLayout<Int32>.size))
    registration = loop.add(listener, interest: .read, target: self)
    if registration == nil {
      pm_close(listener)
      throw SystemError(call: "watch the listener on \(host):\(port)", code: ENOMEM)
    }
    restTimer = loop.addTimer(self)
  }

  // MARK: - Accepting

  public func ready(_ readiness: Readiness) { accept(atMost: 64) }

  private func accept(atMost count: Int) {
    for _ in 0..<count {
      let descriptor = pm_accept(listener)
      if descriptor < 0 {
        switch -descriptor {
        // Nothing to accept with; a level-triggered listener would spin.
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return rest()
        // That one client left before it was accepted.
        case ECONNABORTED: continue
        default: return
        }
      }
      accepted &+= 1
      let isSurplus = !limits.connections.reserve()
      if isSurplus, surplusCount >= limits.surplusConnections {
        turnAway(descriptor)
        continue
      }
      if isSurplus { surplusCount += 1 }
      guard let transport = transport(over: descriptor) else {
        pm_close(descriptor)
        giveBack(isSurplus: isSurplus)
        continue
      }
      let connection = Connection(server: self, transport: transport, isSurplus: isSurplus)
      if connection.start() {
        open[ObjectIdentifier(connection)] = connection
      } else {
        giveBack(isSurplus: isSurplus)
      }
    }
  }

  /// Tells a client that there is no room, in a handful of system calls, and lets go of it.
  private func turnAway(_ descriptor: Int32) {
    turnedAway &+= 1
    if tls == nil {
      farewell.withUnsafeBytes { _ = pm_send(descriptor, $0.baseAddress, $0.count) }
      // What has come already is taken, else the close would be a reset, and that could overtake the answer.
      withUnsafeTemporaryAllocation(byteCount: Connection.readStep, alignment: 1) {
        _ = pm_read(descriptor, $0.baseAddress, $0.count)
      }
    }
    pm_close(descriptor)
  }

  private func giveBack(isSurplus: Bool) {
    if isSurplus { surplusCount -= 1 } else { limits.connections.release() }
  }

  private func transport(over descriptor: Int32) -> Transport? {
    guard let tls else { return .plain(descriptor) }
    return tls.makeSession(descriptor: descriptor).map { .tls($0) }
  }

  private func rest() {
    guard let registration else { return }
    loop.change(registration, interest: [])
    loop.arm(restTimer, at: loop.now + 100_000_000)
  }

  public func timerFired(now: UInt64) {
    guard let registration else { return }
    loop.change(registration, interest: .read)
  }

  /// Stops accepting; running exchanges go on, and so do those of clients that had connected already.
  public func drain() {
    guard let registration else { return }
    accept(atMost: Self.backlog)
    isDraining = true
    loop.remove(registration)
    loop.removeTimer(restTimer)
    pm_close(listener)
    self.registration = nil
    for connection in open.values where connection.isIdle {
      // A request that is here already is still served.
      connection.ready(.read)
      if connection.isIdle { connection.close() }
    }
  }

  // MARK: - The round

  func markDirty(_ connection: Connection) {
    if connection.isDirty { return }
    connection.isDirty = true
    dirty.append(connection)
  }

  func markResumable(_ connection: Connection) {
    if connection.isQueued { return }
    connection.isQueued = true
    resumable.append(connection)
  }

  func forget(_ connection: Connection) {
    guard open.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
    giveBack(isSurplus: connection.isSurplus)
  }

  /// Parses requests that were pipelined behind an answered one.
  public func resumePipelined() {
    guard !resumable.isEmpty else { return }
    let ready = resumable
    resumable.removeAll(keepingCapacity: true)
    for connection in ready { connection.parsePipelined() }
  }

  /// Writes what the round has put together: one write per connection.
  ///
  /// - Returns: true when some response end still waits for its record to be durable.
  public func flush() -> Bool {
    var held: ContiguousArray<Connection> = []
    var index = 0
    while index < dirty.count {
      let connection = dirty[index]
      index += 1
      if connection.needsDurability, !connection.isClosed {
        if !isDurable() {
          held.append(connection)
          continue
        }
        connection.needsDurability = false
      }
      connection.isDirty = false
      connection.flush()
    }
    dirty.removeAll(keepingCapacity: true)
    dirty.append(contentsOf: held)
    return !held.isEmpty
  }

  /// Whether pipelined requests wait to be parsed.
  public var hasResumable: Bool { !resumable.isEmpty }

  /// Stops accepting and closes everything at once.
  public func closeAll() {
    drain()
    for connection in open.values { connection.close() }
  }

  /// `Date:` for responses (RFC 9110 section 5.6.7), made once a second.
  var dateField: [UInt8] {
    let second = loop.wallMilliseconds / 1000
    if second != dateSecond {
      dateSecond = second
      dateText = HTTPDate.field(unixSeconds: second)
    }
    return dateText
  }
  private var dateSecond: Int64 = -1
  private var dateText: [UInt8] = []
}
