import Catalog
import Dispatch
import Foundation
import Gateway
import Logging
import Relay
import Routing
import Simulator
import Synchronization
import Upstream

/// What the loops serve at the moment, and its changes while they run: a routes file that is read again, names whose
/// addresses changed.
final class ServedRoutes: Sendable {
  private struct State {
    var loaded: RoutesLoader.Loaded
    var snapshot: RelaySnapshot
    /// Of earlier files. Completions may still run under those, so they end with the process.
    var retired: [Simulator] = []
  }

  private let loader: RoutesLoader
  private let log: Logger
  private let keeper: KnowledgeKeeper
  /// Held while one table is replaced by another.
  private let turn = NSLock()
  /// Held to look and to hand a change to the loops, so that they get the changes in order; never while a file is read
  /// or a name resolved.
  private let state: Mutex<State>

  init(_ loaded: RoutesLoader.Loaded, loader: RoutesLoader, keeper: KnowledgeKeeper, log: Logger) {
    self.loader = loader
    self.keeper = keeper
    self.log = log
    let snapshot = RelaySnapshot(
      candidates: CandidateTable(loaded.table), health: EndpointHealth(loaded.table),
      knowledge: keeper.knowledge(for: loaded.table), conversations: ConversationIndex(),
      addresses: NameResolver.addresses(for: loaded.table.providers) { log.warning("\($0)") })
    state = Mutex(State(loaded: loaded, snapshot: snapshot))
  }

  var snapshot: RelaySnapshot { state.withLock { $0.snapshot } }

  /// Reads the file again: all of it is adopted, or nothing and the log says why. Called by one thread at a time; blocks
  /// as long as engines and the resolver take to answer.
  func reload(_ dataPlane: DataPlane) {
    turn.lock()
    defer { turn.unlock() }
    let (earlier, served) = state.withLock { ($0.loaded, $0.snapshot) }
    let loaded: RoutesLoader.Loaded
    do {
      loaded = try loader.load(after: earlier)
    } catch {
      let lines = (error as? StartFailure)?.lines ?? ["\(error)"]
      log.error("\(loader.path) was not adopted and nothing has changed; the reasons:")
      for line in lines { StandardError.print(line) }
      return
    }
    adopt(loaded, instead: earlier, served, dataPlane)
    let table = loaded.table
    if table.listeners.admin != earlier.table.listeners.admin {
      log.warning("listeners.admin has changed, which takes effect at the next start")
    }
    log.notice("\(loader.path) was read again and adopted")
  }

  private func adopt(
    _ loaded: RoutesLoader.Loaded, instead earlier: RoutesLoader.Loaded, _ served: RelaySnapshot, _ dataPlane: DataPlane
  ) {
    let table = loaded.table
    let snapshot = RelaySnapshot(
      candidates: CandidateTable(table),
      health: EndpointHealth(table, after: served.health),
      knowledge: keeper.knowledge(for: table), conversations: served.conversations,
      addresses: NameResolver.addresses(for: table.providers) { log.warning("\($0)") })
    state.withLock { state in
      if let simulator = earlier.simulator, simulator !== loaded.simulator { state.retired.append(simulator) }
      state.loaded = loaded
      state.snapshot = snapshot
      dataPlane.adopt(snapshot, tls: loaded.tls)
    }
  }

  /// Reads the lists of the providers again that are due, until the task is cancelled. What has changed in them goes to
  /// the log and into a new table.
  func refreshLists(_ dataPlane: DataPlane) async {
    while (try? await Task.sleep(for: .seconds(5))) != nil {
      await withCheckedContinuation { done in
        DispatchQueue.global().async { [self] in
          renewLists(dataPlane)
          done.resume()
        }
      }
    }
  }

  private func renewLists(_ dataPlane: DataPlane) {
    let (asked, _) = state.withLock { ($0.loaded, $0.snapshot) }
    var lists = asked.lists
    let changes = lists.renew(asked.file)
    turn.lock()
    defer { turn.unlock() }
    let (earlier, served) = state.withLock { ($0.loaded, $0.snapshot) }
    // A file that was read meanwhile has its own lists.
    guard earlier.table === asked.table else { return }
    state.withLock { $0.loaded.lists = lists }
    for mistake in lists.mistakes { log.warning("\(mistake)") }
    for change in changes { log.notice("\(change)") }
    guard lists.differs(from: asked.lists) else { return }
    do {
      adopt(try loader.compile(earlier, lists), instead: earlier, served, dataPlane)
    } catch {
      log.error("what the providers list now does not compile, so the table before is still used: \(error)")
    }
  }

  /// The loops get what is known now.
  func renewKnowledge(_ dataPlane: DataPlane) {
    let table = snapshot.table
    let knowledge = keeper.knowledge(for: table)
    state.withLock { state in
      guard state.snapshot.table === table else { return }
      state.snapshot.knowledge = knowledge
      dataPlane.adopt(knowledge, of: table)
    }
  }

  /// Names are resolved again as they age; the loops hear of it only when an address changed.
  func refreshNames(_ dataPlane: DataPlane) async {
    while (try? await Task.sleep(for: NameResolver.timeToLive)) != nil {
      let served = snapshot
      guard served.addresses.contains(where: { $0 != nil }) else { continue }
      let resolved = await withCheckedContinuation { done in
        DispatchQueue.global().async { [log] in
          done.resume(returning: NameResolver.addresses(for: served.table.providers) { log.warning("\($0)") })
        }
      }
      // A name that fails to resolve now keeps the addresses that it had, and so does one whose addresses only took turns.
      let addresses = zip(served.addresses, resolved).map { known, found in
        found?.isEmpty == true || UpstreamTarget.areSame(known, found) ? known : found
      }
      state.withLock { state in
        guard state.snapshot.table === served.table, state.snapshot.addresses != addresses else { return }
        state.snapshot.addresses = addresses
        dataPlane.adopt(state.snapshot, tls: state.loaded.tls)
      }
    }
  }

  func stopSimulators() {
    let simulators = state.withLock { $0.retired + [$0.loaded.simulator].compactMap { $0 } }
    for simulator in simulators { simulator.stop() }
  }
}
