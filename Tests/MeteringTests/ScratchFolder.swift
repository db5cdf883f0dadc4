import Foundation

@testable import Metering

/// A folder of its own for one test, removed at its end.
final class ScratchFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("metering-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Names in `journal/`.
  var journalNames: [String] { get throws { try FileSystem.names(in: "\(path)/journal") } }
}

/// Collects what closures that must be `Sendable` are called with.
final class Collector<Element: Sendable>: Sendable {
  private let storage = Lock<[Element]>([])
  var elements: [Element] { storage.value { $0 } }
  func add(_ element: Element) { storage.value { $0.append(element) } }
}

/// A value that one thread at a time may touch.
final class Lock<Value>: @unchecked Sendable {  // the NSLock protects `stored`
  private let lock = NSLock()
  private var stored: Value
  init(_ value: Value) { stored = value }
  func value<Result>(_ body: (inout Value) -> Result) -> Result { lock.withLock { body(&stored) } }
}

/// Records with contents that differ from one to the next.
struct RecordMaker {
  var ids: RecordIDSource
  private var count: UInt64 = 0

  init(seed: UInt64) { ids = RecordIDSource(seed: seed) }

  mutating func opened() -> AttemptOpened {
    count += 1
    let id = ids.next(unixMilliseconds: 1_790_000_000_000 + count)
    var record = AttemptOpened(
      id: id, completion: ids.next(unixMilliseconds: 1_790_000_000_000 + count),
      unixMilliseconds: 1_790_000_000_000 + count)
    record.key = count % 2 == 0 ? "team" : ""
    record.route = "chat"
    record.rule = count % 3 == 0 ? "long" : ""
    record.model = "meta-llama/llama-3.3-70b-instruct"
    record.provider = count % 2 == 0 ? "one" : "two"
    record.endpoint = "\(record.provider)/llama"
    record.attempt = UInt16(1 + count % 3)
    record.reason = AttemptReason.allCases[Int(count % 4)]
    record.priceVersion = .max - count
    record.promptBytes = 1_000 + count
    record.streamed = count % 2 == 1
    return record
  }

  mutating func settled(_ opened: AttemptOpened, outcome: Outcome = .completed) -> AttemptSettled {
    var record = AttemptSettled(id: opened.id, outcome: outcome)
    record.usage.input = Int64(100 + count)
    record.usage.output = count % 4 == 0 ? nil : Int64(10 + count)
    record.usage.cachedInput = count % 3 == 0 ? 7 : nil
    record.inputSource = .provider
    record.outputSource = count % 4 == 0 ? .unknown : .observed
    record.observedOutput = Int64(count)
    record.cost = count % 4 == 0 ? nil : Int64(count * 1_000)
    record.priceVersion = opened.priceVersion
    record.timeToFirstToken = count % 5 == 0 ? nil : count * 1_000
    record.duration = count * 2_000
    record.failure = outcome == .completed ? .none : .stalled
    record.httpStatus = 200
    record.isFinal = true
    record.flags = count % 4 == 0 ? [.usageMissing, .cutAfterFinish] : []
    return record
  }
}

extension JournalRecord {
  /// As a reader gets it.
  static func opened(_ attempt: AttemptOpened) -> JournalRecord {
    var unnamed = AttemptOpened(
      id: attempt.id, completion: attempt.completion, unixMilliseconds: attempt.unixMilliseconds)
    unnamed.attempt = attempt.attempt
    unnamed.reason = attempt.reason
    unnamed.priceVersion = attempt.priceVersion
    unnamed.promptBytes = attempt.promptBytes
    unnamed.streamed = attempt.streamed
    let lane = Lane(
      key: attempt.key, route: attempt.route, rule: attempt.rule, model: attempt.model, provider: attempt.provider,
      endpoint: attempt.endpoint)
    return .opened(OpenRecord(unnamed: unnamed, lane: lane))
  }
}

extension Ledger {
  /// Folds records as one step does. Returns what it settled.
  @discardableResult
  func fold(_ records: [JournalRecord], of instance: RecordID) throws -> [UsageRecord] {
    var batch = FoldBatch(instance: instance)
    for record in records { batch.add(record) }
    var settled: [UsageRecord] = []
    try fold(batch, into: &settled)
    return settled
  }
}

extension JournalInstance {
  convenience init(_ scratch: ScratchFolder, _ ids: inout RecordIDSource) throws {
    try self.init(dataDirectory: scratch.path, id: ids.next(unixMilliseconds: 1_790_000_000_000))
  }

  /// Every record of every segment, in order.
  func records() throws -> [JournalRecord] {
    var records: [JournalRecord] = []
    let lanes = LaneCache()
    for segment in try JournalInstance.segments(in: folder) {
      let bytes = try FileSystem.read(path(of: segment), from: 0, limit: .max)
      var at = SegmentHeader.size
      while case .record(let record, let next) = JournalFrame.read(bytes, at: at, lanes) {
        records.append(record)
        at = next
      }
      if at != bytes.count { throw JournalError("read to the end", path(of: segment), code: 0) }
    }
    return records
  }
}
