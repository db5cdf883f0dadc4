import Dispatch
import Synchronization

/// Folds this process's journals into the ledger while the router runs (admin plane).
///
/// `run()` ends when its task is cancelled. At a clean stop: close every `Journal`, end `run()`, then call `foldAll()`.
public final class LedgerWriter: Sendable {
  private static let longestWait = Duration.seconds(5)

  private let instance: JournalInstance
  private let ledger: Ledger
  private let interval: Duration
  private let report: @Sendable (LedgerEvent) -> Void
  private let fold: Mutex<InstanceFold>
  private let syncing: Mutex<JournalSync>
  private let foldQueue = DispatchQueue(label: "ledger-fold", qos: .utility)
  private let syncQueue = DispatchQueue(label: "journal-sync", qos: .utility)

  /// - Parameters:
  ///   - interval: pause between passes: how old the ledger and the metrics may be. A longer one costs less for each attempt.
  ///   - onSettled: called after each commit with the attempts that it settled; each attempt comes once.
  ///   - report: failures, which are retried, and damage, for the log.
  public init(
    instance: JournalInstance, ledger: Ledger, interval: Duration = .milliseconds(250),
    onSettled: @escaping @Sendable ([UsageRecord]) -> Void = { _ in },
    report: @escaping @Sendable (LedgerEvent) -> Void
  ) {
    self.instance = instance
    self.ledger = ledger
    self.interval = interval
    self.report = report
    fold = Mutex(
      InstanceFold(
        instance: instance.id, folder: instance.folder, ledger: ledger, report: report, onSettled: onSettled))
    syncing = Mutex(JournalSync(folder: instance.folder))
  }

  /// Folds every `interval` and syncs every second until the task is cancelled. A failed pass is reported and tried again,
  /// after waits that double up to 5 s.
  public func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.foldRepeatedly() }
      group.addTask { await self.syncRepeatedly() }
    }
  }

  /// One pass: folds what is new. Returns whether more is waiting.
  @discardableResult
  public func foldNew() throws -> Bool {
    try fold.withLock { try $0.step(isClosed: false).hasMore }
  }

  /// One sync of what was written since the last one; blocks as long as the disk takes.
  public func syncNew() throws {
    try syncing.withLock { try $0.sync() }
  }

  /// The end of a clean stop, after the journals were closed: folds all, closes what is still open as interrupted
  /// (`router_stopped`) and removes the instance's folder.
  public func foldAll() throws {
    try fold.withLock { fold in
      _ = try fold.foldAll()
      _ = try ledger.end(instance: instance.id, failure: .routerStopped)
    }
    try JournalInstance.removeEmptied(instance.folder)
  }

  private func foldRepeatedly() async {
    var failures = 0
    while !Task.isCancelled {
      let result = await on(foldQueue) { try self.foldNew() }
      switch result {
      case .success(true):
        failures = 0
        continue
      case .success(false):
        failures = 0
      case .failure(let error):
        failures += 1
        report(.foldFailed(reason: "\(error)"))
      }
      let wait = min(interval * (1 << min(failures, 6)), Self.longestWait)
      do { try await Task.sleep(for: wait) } catch { return }
    }
  }

  private func syncRepeatedly() async {
    while !Task.isCancelled {
      do { try await Task.sleep(for: .milliseconds(900)) } catch { return }
      if case .failure(let error) = await on(syncQueue, { try self.syncNew() }) {
        report(.syncFailed(reason: "\(error)"))
      }
    }
  }

  /// Runs blocking work on a thread of its own rather than on one of the tasks'.
  private func on<Success: Sendable>(
    _ queue: DispatchQueue, _ work: @escaping @Sendable () throws -> Success
  ) async -> Result<Success, any Error> {
    await withCheckedContinuation { continuation in
      queue.async { continuation.resume(returning: Result { try work() }) }
    }
  }
}
