import Glibc

/// Folds what processes that died have left. Runs at start, and before a ledger is read while no router runs; running it
/// twice is the same as once.
public enum Recovery {
  public struct Summary: Sendable, Equatable {
    public var instances = 0
    public var records = 0
    /// Attempts that were closed as interrupted.
    public var interrupted = 0
  }

  /// Every instance folder whose lock is free is folded and removed; its attempts that are still open are closed as
  /// interrupted (`router_died`). Folders of living processes are left alone. Torn or damaged tails are reported, and kept as
  /// `DATA/journal/….corrupt`.
  @discardableResult
  public static func run(
    dataDirectory: String, ledger: Ledger,
    onSettled: @escaping @Sendable ([UsageRecord]) -> Void = { _ in },
    report: @escaping @Sendable (LedgerEvent) -> Void
  ) throws -> Summary {
    let parent = JournalInstance.parent(inDataDirectory: dataDirectory)
    var summary = Summary()
    for name in try FileSystem.names(in: parent) {
      guard let instance = RecordID(name), instance.description == name else { continue }
      let folder = "\(parent)/\(name)"
      guard let lock = try FileSystem.lock("\(folder)/\(JournalInstance.lockName)") else { continue }
      defer { close(lock) }
      let fold = InstanceFold(
        instance: instance, folder: folder, ledger: ledger, report: report, onSettled: onSettled)
      let records: Int
      let interrupted: Int
      do {
        records = try fold.foldAll()
        interrupted = try ledger.end(instance: instance, failure: .routerDied)
        try JournalInstance.removeEmptied(folder)
      } catch let error as JournalError {
        // A file that cannot be read must not keep the router from starting: it stays for the next run.
        report(.foldFailed(reason: "\(error)"))
        continue
      }
      report(.recovered(instance: instance, records: records, interrupted: interrupted))
      summary.instances += 1
      summary.records += records
      summary.interrupted += interrupted
    }
    // An instance's folder is there before any of its rows is: rows without a folder have nobody left to settle them.
    for instance in try ledger.unfinishedInstances() where access("\(parent)/\(instance)", F_OK) != 0 && errno == ENOENT
    {
      summary.interrupted += try ledger.end(instance: instance, failure: .routerDied)
    }
    return summary
  }
}
