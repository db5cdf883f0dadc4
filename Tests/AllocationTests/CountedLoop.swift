import CAllocations
import Catalog
import Dispatch
import Foundation
import Loop
import Metering
import Relay
import Routing
import Simulator
import Synchronization
import Telemetry
import Upstream

@testable import Gateway

/// A real loop of the data plane on a thread whose allocations are counted, with everything on (a client's key, three
/// priced candidates, the journal); the simulated provider is on a thread of its own.
final class CountedLoop {
  static let key = "sk-allocations"

  let port: Int
  private let simulator: Simulator
  private let mailbox: Mailbox<DataPlane.Message>
  private let thread: LoopThread
  private let counter: Counter
  private let folder: String

  /// What the loop's thread tells of itself.
  private final class Beginning: Sendable {
    let listening = DispatchSemaphore(value: 0)
    let result = Mutex<Result<(port: Int, counter: Counter), any Error>?>(nil)
  }

  /// The counters of the loop's thread.
  private struct Counter: @unchecked Sendable {  // read with atomic loads; the thread is joined last
    let pointer: OpaquePointer
  }

  /// - Parameter models: the simulator's models that can be asked for, each by its own name.
  init(models: [String]) throws {
    CurlClient.initializeProcess()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("allocations-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let names = ["one", "two", "three"]
    simulator = try Simulator.start(providers: names.map { SimulatedProvider(name: $0) })
    let table = try Self.table(models, providers: names, port: simulator.port)
    var ids = RecordIDSource()
    var statistics = EndpointStatistics()
    let configuration = DataPlane.Configuration(
      host: "127.0.0.1", port: 0, loops: 1,
      snapshot: RelaySnapshot(
        candidates: CandidateTable(table), health: EndpointHealth(table),
        knowledge: statistics.knowledge(for: table, now: 1), conversations: ConversationIndex(),
        addresses: Array(repeating: nil, count: table.providers.count)),
      tls: nil,
      instance: try JournalInstance(dataDirectory: folder, id: ids.next(unixMilliseconds: 1_790_000_000_000)))
    let mailbox = try Mailbox<DataPlane.Message>()
    let beginning = Beginning()
    self.mailbox = mailbox
    thread = try LoopThread(name: "counted") {
      do {
        let loop = try DataLoop(
          configuration: configuration, index: 0, mailbox: mailbox, counters: LoopCounters(), ObservationOutbox())
        let counter = Counter(pointer: allocations_of_this_thread())
        beginning.result.withLock { $0 = .success((loop.port, counter)) }
        beginning.listening.signal()
        loop.run()
      } catch {
        beginning.result.withLock { $0 = .failure(error) }
        beginning.listening.signal()
      }
    }
    beginning.listening.wait()
    guard let (port, counter) = try beginning.result.withLock({ try $0?.get() }) else { throw NotStarted() }
    self.port = port
    self.counter = counter
  }

  struct NotStarted: Error {}

  deinit {
    mailbox.post(.stop)
    thread.join()
    simulator.stop()
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// What the loop's thread has allocated so far.
  var counts: allocation_counts { allocations_read(counter.pointer) }

  private static func table(_ models: [String], providers: [String], port: Int) throws -> RouteTable {
    var yaml = "providers:\n"
    for name in providers { yaml += "  \(name): { base_url: 'http://127.0.0.1:\(port)/\(name)/v1' }\n" }
    yaml += "models:\n"
    for model in models {
      yaml += "  \(model):\n    endpoints:\n"
      for (index, name) in providers.enumerated() {
        yaml += "      - { provider: \(name), price: { input: 0.\(index + 1), output: 0.\(index + 2) } }\n"
      }
    }
    // The SHA-256 of `key`.
    yaml += "keys: { team: { sha256: 636b011bf01babaa3bf684352065a327a4c8f197a300a079b7ea752998d31c3f } }\n"
    guard let file = RoutesFile.parse(yaml).file else { throw NotStarted() }
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs())
    guard let table else { throw NotCompiled(diagnostics: diagnostics) }
    return table
  }

  struct NotCompiled: Error { let diagnostics: [Diagnostic] }
}
