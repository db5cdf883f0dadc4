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
    let stopping = StopSignal(reloads: true)
    var logger = Logger(label: "pointsman") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = Logger.Level.info
    let adminToken = try readAdminToken()
    if !admin.isLoopback, adminToken == nil {
      throw StartFailure("beyond loopback the admin listener needs --admin-token-file")
    }
    try listen.requireFree(option: "--listen")
    try admin.requireFree(option: "--admin")
    if let reason = SystemReason.makingFolder(dataDirectory) {
      throw StartFailure("the data directory \(dataDirectory) cannot be used: \(reason.text)")
    }
    let loader = RoutesLoader(path: routesPath, listen: listen)
    let loaded = try loader.load()
    let table = loaded.table

    let log = logger
    let ledger: Ledger
    let instance: JournalInstance
    let metrics = MetricsFold()
    do {
      ledger = try Ledger(dataDirectory: dataDirectory)
      try Recovery.run(dataDirectory: dataDirectory, ledger: ledger) { log.notice("\($0)") }
      var ids = RecordIDSource()
      instance = try JournalInstance(
        dataDirectory: dataDirectory, id: ids.next(unixMilliseconds: UInt64(Date().timeIntervalSince1970 * 1000)))
    } catch {
      throw StartFailure("the data directory \(dataDirectory) cannot be used: \(error)")
    }
    let keeper = KnowledgeKeeper(dataDirectory: dataDirectory, log: log)
    let served = ServedRoutes(loaded, loader: loader, keeper: keeper, log: log)
    let dataPlane: DataPlane
    do {
      dataPlane = try DataPlane(
        DataPlane.Configuration(
          host: listen.host, port: listen.port, loops: loops, snapshot: served.snapshot, tls: loaded.tls,
          instance: instance))
    } catch {
      throw StartFailure("cannot start on \(listen.defaultValueDescription) (--listen): \(error)")
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
        host: admin.host, port: Int(admin.port), allowed: table.listeners.admin, token: adminToken), logger: log,
      metrics: {
        PrometheusText.render(
          metrics.snapshot, samples: LoopCounters.samples(of: dataPlane.counters), version: Pointsman.version)
      },
      explain: { request in ExplainQuery.answer(request, served.snapshot) })
    let banner = Banner(
      table: table, api: listen.url(port: dataPlane.port, scheme: loaded.tls == nil ? "http" : "https"),
      data: dataDirectory, routes: routesPath)
    let background = BackgroundTasks()
    background.start("ledger writer") { try await writer.run() }
    background.start("admin listener") {
      try await server.run { port in banner.print(admin: admin.url(port: port)) }
    }
    background.start("knowledge") {
      await keeper.run(dataPlane, served)
    }
    background.start("provider lists") {
      await served.refreshLists(dataPlane)
    }
    background.start("name resolver") {
      await served.refreshNames(dataPlane)
    }
    Thread.detachNewThread {
      while true {
        stopping.waitForReload()
        served.reload(dataPlane)
      }
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
    let end = DispatchTime.now() + grace
    var isDrained = false
    while !isDrained, DispatchTime.now() < end {
      isDrained = drained.wait(timeout: .now() + 0.05) == .success
      if !isDrained, stopping.wait(seconds: 0) { break }
    }
    if !isDrained {
      dataPlane.stop()
      while drained.wait(timeout: .now() + 0.05) == .timedOut {
        guard stopping.wait(seconds: 0) else { continue }
        // What the journals have is folded at the next start.
        log.critical("asked again to stop: ending at once")
        _exit(1)
      }
    }
    background.cancelAndWait()
    keeper.finish(dataPlane)
    served.stopSimulators()
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
}
