import Admin
import CLinux
import Catalog
import Foundation
import Gateway
import Loop
import Logging
import Metering
import Relay
import Routing
import Simulator
import Telemetry

/// Puts the parts of a running router together, and takes them down again in the right order.
struct Service {
  var routesPath: String
  var dataDirectory: String
  var listen: ListenAddress
  var admin: ListenAddress
  var loops: Int
  var grace: Double
  var adminTokenFile: String?

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    pm_keep_freed_memory()
    let stopping = StopSignal()
    var logger = Logger(label: "pointsman") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = Logger.Level.info
    let adminToken = try readAdminToken()
    let (file, simulator) = try readRoutes()
    let table = try compile(file, simulator)
    try checkListeners(table, adminToken)

    let log = logger
    let ledger: Ledger
    let instance: JournalInstance
    let metrics = MetricsFold()
    do {
      try FileManager.default.createDirectory(
        atPath: dataDirectory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      ledger = try Ledger(dataDirectory: dataDirectory)
      try Recovery.run(dataDirectory: dataDirectory, ledger: ledger) { log.notice("\($0)") }
      var ids = RecordIDSource()
      instance = try JournalInstance(
        dataDirectory: dataDirectory, id: ids.next(unixMilliseconds: UInt64(Date().timeIntervalSince1970 * 1000)))
    } catch {
      throw StartFailure("the data directory \(dataDirectory) cannot be used: \(error)")
    }
    let health = EndpointHealth(count: table.endpoints.count)
    let snapshot = RelaySnapshot(
      table: table, health: health,
      addresses: NameResolver.addresses(for: table.providers) { log.warning("\($0)") })
    let dataPlane: DataPlane
    do {
      dataPlane = try DataPlane(
        DataPlane.Configuration(
          host: listen.host, port: listen.port, loops: loops, snapshot: snapshot, instance: instance))
    } catch {
      throw StartFailure("cannot start on \(listen.host):\(listen.port): \(error)")
    }
    // What is started from here on is the admin plane; its threads inherit this and leave the loops the right of way.
    _ = pm_thread_nice(5)
    let writer = LedgerWriter(
      instance: instance, ledger: ledger,
      onSettled: { records in
        metrics.record(records)
        for record in records { FailureLog.note(record, log) }
      },
      report: { log.warning("\($0)") })
    let server = AdminServer(
      AdminServer.Configuration(
        host: admin.host, port: Int(admin.port), allowed: table.listeners.admin, token: adminToken), logger: log
    ) {
      PrometheusText.render(
        metrics.snapshot, samples: LoopCounters.samples(of: dataPlane.counters), version: Pointsman.version)
    }
    let banner = Banner(table: table, api: listen.url(port: dataPlane.port), data: dataDirectory, routes: routesPath)
    let background = BackgroundTasks()
    background.start("ledger writer") { try await writer.run() }
    background.start("admin listener") {
      try await server.run { port in banner.print(admin: admin.url(port: port)) }
    }
    background.start("name resolver") {
      await refreshNames(snapshot, dataPlane, log)
    }
    background.onFailure { name, error in
      log.critical("the \(name) ended: \(error)")
      stopping.raise()
    }
    stopping.wait()
    log.notice("stopping: running answers get \(Int(grace)) s")
    dataPlane.drain()
    let drained = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      dataPlane.join()
      drained.signal()
    }
    let end = Date().addingTimeInterval(grace)
    var isDrained = false
    while !isDrained, Date() < end {
      isDrained = drained.wait(timeout: .now() + 0.05) == .success
      if !isDrained, stopping.wait(seconds: 0) { break }
    }
    if !isDrained {
      dataPlane.stop()
      drained.wait()
    }
    background.cancelAndWait()
    simulator?.stop()
    do {
      try writer.foldAll()
    } catch {
      throw StartFailure("the last records stay in the journal and are folded at the next start: \(error)")
    }
    if let (name, error) = background.failure { throw StartFailure("the \(name) ended: \(error)") }
  }

  // MARK: - Reading

  private func readAdminToken() throws -> Secret? {
    guard let adminTokenFile else { return nil }
    guard let text = try? RoutesSource.readSecret(adminTokenFile).trimmingCharacters(in: .whitespacesAndNewlines),
      text.count >= 16
    else { throw StartFailure("\(adminTokenFile) must hold an admin token of at least 16 characters") }
    return Secret(text)
  }

  private func readRoutes() throws -> (file: RoutesFile, simulator: Simulator?) {
    let (file, diagnostics) = try RoutesSource(path: routesPath).parse()
    guard let file else { throw StartFailure(diagnostics.map(\.description)) }
    if diagnostics.contains(where: { $0.severity == .error }) {
      // Nothing is started for a file with mistakes; compiling it finds the others too.
      _ = try compile(file, nil)
    }
    let providers = file.simulatedProviders.map { name, simulation in
      SimulatedProvider(
        name: name, firstTokenMilliseconds: Int(simulation.firstToken / .milliseconds(1)),
        tokensPerSecond: simulation.tokensPerSecond, jitter: simulation.jitter)
    }
    if providers.isEmpty { return (file, nil) }
    do {
      return (file, try Simulator.start(providers: providers))
    } catch {
      throw StartFailure("the built-in simulated providers do not start: \(error)")
    }
  }

  private func compile(_ file: RoutesFile, _ simulator: Simulator?) throws -> RouteTable {
    let (discovered, unreachable) = RoutesSource.discover(file)
    let inputs = CompileInputs(
      environment: ProcessInfo.processInfo.environment, readSecret: { try RoutesSource.readSecret($0) },
      discovered: discovered, simulatorBaseURL: simulator.map { "http://127.0.0.1:\($0.port)" },
      unreachableOptional: unreachable)
    let (table, diagnostics) = RouteTable.compile(file, inputs)
    guard let table else { throw StartFailure(diagnostics.map(\.description)) }
    for diagnostic in diagnostics { StandardError.print(diagnostic.description) }
    return table
  }

  private func checkListeners(_ table: RouteTable, _ token: Secret?) throws {
    if !listen.isLoopback, table.keys.isEmpty {
      throw StartFailure(
        "without `keys:` in \(routesPath) the public listener is open to everyone, so it must stay on loopback: "
          + "add a key (the README shows how), or listen on 127.0.0.1")
    }
    if !admin.isLoopback, token == nil {
      throw StartFailure("beyond loopback the admin listener needs --admin-token-file")
    }
  }

  /// Names are resolved again as they age; the loops hear of it only when an address changed.
  private func refreshNames(_ first: RelaySnapshot, _ dataPlane: DataPlane, _ log: Logger) async {
    guard first.addresses.contains(where: { $0 != nil }) else { return }
    var current = first
    while (try? await Task.sleep(for: NameResolver.timeToLive)) != nil {
      let table = current.table
      let resolved = await withCheckedContinuation { done in
        DispatchQueue.global().async {
          done.resume(returning: NameResolver.addresses(for: table.providers) { log.warning("\($0)") })
        }
      }
      var next = current
      // A name that fails to resolve now keeps the address that it had.
      next.addresses = zip(current.addresses, resolved).map { $1?.isEmpty == true ? $0 : $1 }
      if next.addresses != current.addresses {
        dataPlane.adopt(next)
        current = next
      }
    }
  }
}
