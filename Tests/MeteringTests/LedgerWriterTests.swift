import Foundation
import GRDB
import Testing

@testable import Metering

@Suite struct LedgerWriterTests {
  private let scratch: ScratchFolder
  private let ledger: Ledger
  private let instance: JournalInstance
  private var maker = RecordMaker(seed: 31)

  init() throws {
    scratch = try ScratchFolder()
    ledger = try Ledger(dataDirectory: scratch.path)
    instance = try JournalInstance(scratch, &maker.ids)
  }

  private mutating func pairs(_ count: Int, in journal: Journal) -> [UsageRecord] {
    (0..<count).map { _ in
      let opened = maker.opened()
      let settled = maker.settled(opened)
      #expect(journal.append(opened) && journal.append(settled) && journal.flush())
      return UsageRecord(opened: opened, settled: settled)
    }
  }

  @Test func commitsSurviveAPowerLossAndTheFileIsForItsOwnerOnly() throws {
    #expect(try ledger.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
    #expect(try ledger.pool.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
    for name in try FileSystem.names(in: scratch.path) where name.hasPrefix("ledger") {
      let mode = try FileManager.default.attributesOfItem(atPath: "\(scratch.path)/\(name)")[.posixPermissions] as? Int
      #expect(mode == 0o600, "\(name)")
    }
  }

  @Test mutating func foldingASegmentTwiceIsTheSameAsOnce() throws {
    let journal = try Journal(instance: instance, loop: 0)
    let expected = pairs(50, in: journal)
    let settled = Collector<[UsageRecord]>()
    func fold() -> InstanceFold {
      InstanceFold(
        instance: instance.id, folder: instance.folder, ledger: ledger, report: { _ in }, onSettled: settled.add)
    }
    #expect(try fold().step(isClosed: false).records == 100)
    let rows = try ledger.rows()
    #expect(rows.count == 50)
    // As if the progress had not been stored.
    try ledger.pool.write { try $0.execute(sql: "DELETE FROM journal_progress") }
    #expect(try fold().step(isClosed: false).records == 100)
    #expect(try ledger.rows() == rows)
    #expect(settled.elements.flatMap { $0 } == expected)
    // With it, nothing is read again.
    #expect(try fold().step(isClosed: false).records == 0)
  }

  @Test mutating func rowsAndProgressAreCommittedTogetherOrNotAtAll() throws {
    var limits = Journal.Limits()
    limits.segment = 500
    let journal = try Journal(instance: instance, loop: 0, limits: limits)
    _ = pairs(10, in: journal)
    let settled = Collector<[UsageRecord]>()
    let writer = LedgerWriter(instance: instance, ledger: ledger, onSettled: settled.add) { _ in }
    try ledger.pool.write {
      try $0.execute(
        sql: "CREATE TRIGGER broken BEFORE INSERT ON journal_progress BEGIN SELECT RAISE(ABORT, 'no space'); END")
    }
    let before = try JournalInstance.segments(in: instance.folder)
    #expect(before.count > 3)
    let error = #expect(throws: LedgerError.self) { try writer.foldNew() }
    #expect("\(error as Any)".contains("no space"))
    #expect(try ledger.rows().isEmpty)
    #expect(settled.elements.isEmpty)
    #expect(try JournalInstance.segments(in: instance.folder) == before)

    try ledger.pool.write { try $0.execute(sql: "DROP TRIGGER broken") }
    try writer.foldNew()
    #expect(try ledger.rows().count == 10)
    #expect(settled.elements.flatMap { $0 }.count == 10)
    // Only the segment that is still written to is left.
    #expect(try JournalInstance.segments(in: instance.folder) == [try #require(before.last)])
    try writer.foldNew()
    #expect(
      try ledger.pool.read { try String.fetchAll($0, sql: "SELECT segment FROM journal_progress") }
        == ["\(try #require(before.last))"])
  }

  @Test mutating func anIncompleteTailWaitsForItsRest() throws {
    let journal = try Journal(instance: instance, loop: 0)
    let path = "\(instance.folder)/0-1.log"
    let opened = maker.opened()
    #expect(journal.append(opened) && journal.flush())
    let firstEnd = try #require(FileSystem.size(path))
    #expect(journal.append(maker.settled(opened)) && journal.flush())
    let whole = try FileSystem.read(path, from: 0, limit: .max)
    let writer = LedgerWriter(instance: instance, ledger: ledger) { Issue.record("\($0)") }
    for length in 0...whole.count {
      try FileSystem.write(Array(whole[..<length]), to: path)
      try writer.foldNew()
      let expected = length < firstEnd ? [] : length < whole.count ? ["open"] : ["completed"]
      #expect(try ledger.rows().map(\.outcome) == expected)
    }
  }

  @Test mutating func damageInALivingSegmentIsReportedOnceAndStepsAsideWhenTheSegmentIsLeft() throws {
    var limits = Journal.Limits()
    limits.segment = 1_000
    let journal = try Journal(instance: instance, loop: 0, limits: limits)
    _ = pairs(1, in: journal)
    let path = "\(instance.folder)/0-1.log"
    var bytes = try FileSystem.read(path, from: 0, limit: .max)
    bytes[bytes.count - 1] ^= 1
    try FileSystem.write(bytes, to: path)
    let events = Collector<LedgerEvent>()
    let writer = LedgerWriter(instance: instance, ledger: ledger, report: events.add)
    try writer.foldNew()
    try writer.foldNew()
    #expect(events.elements.count == 1)
    #expect(try ledger.rows().map(\.outcome) == ["open"])
    _ = pairs(20, in: journal)
    try writer.foldNew()
    #expect(events.elements.count == 2)
    #expect(try scratch.journalNames.filter { $0.hasSuffix(".corrupt") }.count == 1)
    #expect(try ledger.rows().count > 10)
  }

  @Test mutating func aSegmentThatCouldNotBeBegunDoesNotEndTheOneBefore() throws {
    let journal = try Journal(instance: instance, loop: 0)
    let writer = LedgerWriter(instance: instance, ledger: ledger) { Issue.record("\($0)") }
    _ = pairs(1, in: journal)
    // As between a header's failed write and the removal of its file.
    try FileSystem.write([UInt8](repeating: 0x50, count: SegmentHeader.size - 1), to: "\(instance.folder)/0-2.log")
    try writer.foldNew()
    _ = pairs(1, in: journal)
    try writer.foldNew()
    #expect(try ledger.rows().map(\.outcome) == ["completed", "completed"])
  }

  @Test mutating func aCleanStopFoldsAllAndRemovesTheFolder() throws {
    let journal = try Journal(instance: instance, loop: 0)
    _ = pairs(3, in: journal)
    #expect(journal.append(maker.opened()))
    #expect(journal.close())
    try LedgerWriter(instance: instance, ledger: ledger) { Issue.record("\($0)") }.foldAll()
    let rows = try ledger.rows()
    #expect(rows.map(\.outcome) == ["interrupted", "completed", "completed", "completed"])
    #expect(rows[0].failure == "router_stopped")
    #expect(try scratch.journalNames.isEmpty)
    #expect(try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in } == Recovery.Summary())
    #expect(try ledger.rows() == rows)
  }

  @Test mutating func runFoldsUntilItIsCancelledAndTriesAgainAfterAFailure() async throws {
    let journal = try Journal(instance: instance, loop: 0)
    let expected = pairs(5, in: journal)
    let (failures, failed) = AsyncStream.makeStream(of: LedgerEvent.self)
    let (batches, settled) = AsyncStream.makeStream(of: [UsageRecord].self)
    try await ledger.pool.write {
      try $0.execute(sql: "CREATE TRIGGER broken BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'locked'); END")
    }
    let writer = LedgerWriter(
      instance: instance, ledger: ledger, interval: .milliseconds(1), onSettled: { settled.yield($0) },
      report: { failed.yield($0) })
    let running = Task { try await writer.run() }
    var failure = failures.makeAsyncIterator()
    let event = try #require(await failure.next())
    #expect("\(event)".contains("locked"))
    try await ledger.pool.write { try $0.execute(sql: "DROP TRIGGER broken") }
    var batch = batches.makeAsyncIterator()
    #expect(await batch.next() == expected)
    running.cancel()
    try await running.value
  }

  @Test mutating func syncingCoversNewAndGrownSegmentsAndMindsNoneThatAreGone() throws {
    let journal = try Journal(instance: instance, loop: 0)
    let writer = LedgerWriter(instance: instance, ledger: ledger) { _ in }
    try writer.syncNew()
    _ = pairs(2, in: journal)
    try writer.syncNew()
    #expect(journal.close())
    try writer.foldAll()
    try writer.syncNew()
  }
}
