import Catalog
import Foundation
import HTTP
import Simulator

/// Reads a routes file for this process and makes what it asks for: the table, the certificate, the simulated providers.
struct RoutesLoader {
  var path: String
  var listen: ListenAddress

  /// A file that was found good, and what was made for it.
  struct Loaded {
    let file: RoutesFile
    var lists: ProviderLists
    let table: RouteTable
    let tls: TLSContext?
    let simulator: Simulator?
    fileprivate let simulated: [SimulatedProvider]
  }

  /// What `earlier` holds is kept where nothing about it changed: the simulator, and the sessions of TLS clients.
  ///
  /// - Throws: `StartFailure` with every reason why the file cannot be used; nothing is left running for it then.
  func load(after earlier: Loaded? = nil) throws -> Loaded {
    let (file, diagnostics) = try RoutesSource(path: path).parse()
    guard let file else { throw StartFailure(diagnostics.map(\.description)) }
    let lists = ProviderLists(of: file)
    for mistake in lists.mistakes { StandardError.print("\(path): warning: \(mistake)") }
    if diagnostics.contains(where: { $0.severity == .error }) {
      // Nothing is started for a file with mistakes; compiling it finds the others too.
      _ = try compile(file, lists, nil)
    }
    let simulated = file.simulatedProviders.map { name, simulation in
      SimulatedProvider(
        name: name, firstTokenMilliseconds: Int(simulation.firstToken / .milliseconds(1)),
        tokensPerSecond: simulation.tokensPerSecond, jitter: simulation.jitter)
    }
    let isKept = simulated == earlier?.simulated
    let simulator = isKept ? earlier?.simulator : try start(simulated)
    do {
      let table = try compile(file, lists, simulator)
      if !listen.isLoopback, table.keys.isEmpty {
        throw StartFailure(
          "without `keys:` in \(path) the public listener is open to everyone, so it must stay on loopback: "
            + "add a key (the README shows how), or listen on 127.0.0.1")
      }
      let tls = try table.listeners.public.tls.map { files in
        try TLSContext(certificate: files.certificate, key: files.key, following: earlier?.tls)
      }
      return Loaded(
        file: file, lists: lists, table: table, tls: tls, simulator: simulator, simulated: simulated)
    } catch {
      if !isKept { simulator?.stop() }
      // The files were good when they were tried and changed since.
      if let error = error as? TLSFileError { throw StartFailure("listeners.public.tls: \(error.reason)") }
      throw error
    }
  }

  /// The table as it would be served, without starting anything for it: simulated providers have no port.
  func look() throws -> RouteTable {
    let (file, diagnostics) = try RoutesSource(path: path).parse()
    guard let file else { throw StartFailure(diagnostics.map(\.description)) }
    return try compile(file, ProviderLists(of: file), nil)
  }

  /// The same file with other lists of its providers.
  func compile(_ loaded: Loaded, _ lists: ProviderLists) throws -> Loaded {
    Loaded(
      file: loaded.file, lists: lists, table: try compile(loaded.file, lists, loaded.simulator), tls: loaded.tls,
      simulator: loaded.simulator, simulated: loaded.simulated)
  }

  private func start(_ providers: [SimulatedProvider]) throws -> Simulator? {
    if providers.isEmpty { return nil }
    do {
      return try Simulator.start(providers: providers)
    } catch {
      throw StartFailure("the built-in simulated providers do not start: \(error)")
    }
  }

  private func compile(_ file: RoutesFile, _ lists: ProviderLists, _ simulator: Simulator?) throws -> RouteTable {
    let inputs = CompileInputs(
      environment: ProcessInfo.processInfo.environment, readSecret: { try RoutesSource.readSecret($0) },
      discovered: lists.models, simulatorBaseURL: simulator.map { "http://127.0.0.1:\($0.port)" },
      unreachableOptional: lists.unreachable, unixSeconds: Int64(Date().timeIntervalSince1970),
      tryTLS: RoutesSource.tryTLS)
    let (table, diagnostics) = RouteTable.compile(file, inputs)
    guard let table else { throw StartFailure(diagnostics.map(\.description)) }
    for diagnostic in diagnostics { StandardError.print(diagnostic.description) }
    return table
  }
}
