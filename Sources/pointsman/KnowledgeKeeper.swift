import CLinux
import Catalog
import Foundation
import Gateway
import Logging
import Routing
import Synchronization

/// Folds what the loops' attempts taught into what the next choices are made by, a few times a second, and keeps it
/// across restarts in the data directory.
final class KnowledgeKeeper: Sendable {
  /// How often what was observed is folded.
  private static let interval = Duration.milliseconds(250)
  /// How many folds there are between two writes to the file, and between two looks at what has only grown older.
  private static let foldsPerWrite = 120
  private static let foldsPerAging = 20

  private let statistics: Mutex<EndpointStatistics>
  private let path: String
  private let log: Logger

  init(dataDirectory: String, log: Logger) {
    path = dataDirectory + "/knowledge"
    self.log = log
    let saved = FileManager.default.contents(atPath: path).map { Array($0) }
    statistics = Mutex(
      saved.map { EndpointStatistics(encoded: $0, now: Self.now, unixSeconds: Self.unixSeconds) }
        ?? EndpointStatistics())
  }

  /// Monotonic nanoseconds, of the clock that the loops have.
  static var now: UInt64 { pm_monotonic_ns() }
  static var unixSeconds: Int64 { Int64(Date().timeIntervalSince1970) }

  /// What is known of a table's endpoints and routes now.
  func knowledge(for table: RouteTable) -> Knowledge {
    statistics.withLock { $0.knowledge(for: table, now: Self.now) }
  }

  /// Folds until the task is cancelled.
  func run(_ dataPlane: DataPlane, _ served: ServedRoutes) async {
    var folds = 0
    while (try? await Task.sleep(for: Self.interval)) != nil {
      folds += 1
      let observed = Self.judged(dataPlane.fetchObservations())
      if !observed.isEmpty { statistics.withLock { $0.fold(observed) } }
      if !observed.isEmpty || folds % Self.foldsPerAging == 0 { served.renewKnowledge(dataPlane) }
      if folds % Self.foldsPerWrite == 0 { save() }
      for event in served.snapshot.health.fetchEvents() { log.notice("\(event)") }
    }
  }

  /// Takes in what was observed last, and writes the file.
  func finish(_ dataPlane: DataPlane) {
    let observed = Self.judged(dataPlane.fetchObservations())
    statistics.withLock { $0.fold(observed) }
    save()
  }

  /// The answers among them judged, now that no request waits for it.
  private static func judged(_ observations: [AttemptObservation]) -> [AttemptObservation] {
    var observations = observations
    for index in observations.indices {
      guard let sample = observations[index].sample else { continue }
      observations[index].quality = sample.verdict
      observations[index].sample = nil
    }
    return observations
  }

  private func save() {
    let bytes = statistics.withLock { $0.encoded(now: Self.now, unixSeconds: Self.unixSeconds) }
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      log.warning("what is known of the endpoints was not saved to \(path): \(error.localizedDescription)")
    }
  }
}
