import Foundation
import Testing

@testable import Metering

@Suite struct RecoveryTests {
  private let scratch: ScratchFolder
  private var maker = RecordMaker(seed: 23)

  init() throws { scratch = try ScratchFolder() }

  /// Writes records as a process that then dies: the instance's lock is free afterwards.
  private mutating func leave(_ records: [JournalRecord]) throws -> RecordID {
    let instance = try JournalInstance(scratch, &maker.ids)
    let journal = try Journal(instance: instance, loop: 0)
    for record in records {
      switch record {
      case .opened(let opened): #expect(journal.append(opened.attempt))
      case .settled(let settled): #expect(journal.append(settled))
      }
    }
    #expect(journal.close())
    return instance.id
  }

  @Test mutating func whatADeadProcessLeftIsFoldedAndItsOpenAttemptsAreClosedOnce() throws {
    let done = maker.opened()
    let doneSettled = maker.settled(done)
    let cut = maker.opened()
    let instance = try leave([.opened(done), .settled(doneSettled), .opened(cut)])
    let ledger = try Ledger(dataDirectory: scratch.path)
    let settled = Collector<[UsageRecord]>()
    let events = Collector<LedgerEvent>()

    let first = try Recovery.run(
      dataDirectory: scratch.path, ledger: ledger, onSettled: settled.add, report: events.add)
    #expect(first == Recovery.Summary(instances: 1, records: 3, interrupted: 1))
    #expect(events.elements == [.recovered(instance: instance, records: 3, interrupted: 1)])
    #expect(settled.elements == [[UsageRecord(opened: done, settled: doneSettled)]])
    let rows = try ledger.rows()
    #expect(rows.map(\.outcome) == ["interrupted", "completed"])
    #expect(rows[0].failure == "router_died" && rows[0].isFinal)
    #expect(rows[0].inputTokens == nil && rows[0].costNanoUSD == nil && rows[0].inputSource == "unknown")
    #expect(try scratch.journalNames.isEmpty)

    let again = try Recovery.run(dataDirectory: scratch.path, ledger: ledger, report: events.add)
    #expect(again == Recovery.Summary())
    #expect(try ledger.rows() == rows)
  }

  @Test mutating func onlyTheLastAttemptOfACutCompletionIsItsFinalOne() throws {
    var first = maker.opened()
    first.attempt = 1
    var second = maker.opened()
    second.completion = first.completion
    second.attempt = 2
    _ = try leave([.opened(first), .opened(second)])
    let ledger = try Ledger(dataDirectory: scratch.path)
    try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in }
    #expect(try ledger.rows().map { [$0.attempt, $0.isFinal ? 1 : 0] } == [[2, 1], [1, 0]])
  }

  @Test mutating func aLivingProcesssFolderIsLeftAlone() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let journal = try Journal(instance: instance, loop: 0)
    #expect(journal.append(maker.opened()))
    #expect(journal.flush())
    let ledger = try Ledger(dataDirectory: scratch.path)
    let summary = try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in }
    #expect(summary == Recovery.Summary())
    #expect(try instance.records().count == 1)
    #expect(try ledger.rows().isEmpty)
  }

  @Test mutating func openRowsOfAnInstanceWithoutAFolderAreClosed() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let ledger = try Ledger(dataDirectory: scratch.path)
    let journal = try Journal(instance: instance, loop: 0)
    #expect(journal.append(maker.opened()))
    #expect(journal.close())
    try LedgerWriter(instance: instance, ledger: ledger) { _ in }.foldNew()
    #expect(try ledger.rows().map(\.outcome) == ["open"])
    try FileManager.default.removeItem(atPath: instance.folder)
    #expect(try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in }.interrupted == 1)
    #expect(try ledger.rows().map(\.outcome) == ["interrupted"])
  }

  @Test mutating func aTailTornAtAnyByteOrWithAnyByteFlippedLeavesTheValidRecordsBeforeIt() throws {
    let ledger = try Ledger(dataDirectory: scratch.path)
    struct Damage { var start: Int, kept: [RecordID], lost: [RecordID] }
    var damages: [String: Damage] = [:]

    /// A dead instance with five attempts (the last three records are damaged), its bytes changed by `change`.
    func make(_ change: (_ bytes: inout [UInt8], _ starts: [Int]) -> Int?) throws -> Bool {
      var ids: [RecordID] = []
      var starts: [Int] = []
      let instance = try JournalInstance(scratch, &maker.ids)
      let journal = try Journal(instance: instance, loop: 0)
      let path = "\(instance.folder)/0-1.log"
      for number in 0..<5 {
        let opened = maker.opened()
        ids.append(opened.id)
        starts.append(try #require(FileSystem.size(path)))
        #expect(number == 3 ? journal.append(maker.settled(opened)) : journal.append(opened))
        #expect(journal.flush())
      }
      var bytes = try FileSystem.read(path, from: 0, limit: .max)
      guard let damaged = change(&bytes, starts) else {
        #expect(journal.close())
        try FileManager.default.removeItem(atPath: instance.folder)
        return false
      }
      try FileSystem.write(bytes, to: path)
      let isWhole = bytes.count == starts[damaged]
      damages[path] = Damage(
        start: isWhole ? -1 : starts[damaged], kept: Array(ids[..<damaged]), lost: Array(ids[damaged...]))
      return true
    }

    var cut = 0
    while try make({ bytes, starts in
      let length = starts[2] + cut
      guard length < bytes.count else { return nil }
      bytes.removeLast(bytes.count - length)
      return starts.lastIndex { $0 <= length }
    }) { cut += 1 }
    var flip = 0
    var random = Xoshiro256(seed: (1, 2, 3, 4))
    while try make({ bytes, starts in
      let place = starts[2] + flip
      guard place < bytes.count else { return nil }
      bytes[place] ^= UInt8(random.next() % 255) + 1
      return starts.lastIndex { $0 <= place }
    }) { flip += 1 }
    #expect(cut > 300 && flip > 300)

    let events = Collector<LedgerEvent>()
    try Recovery.run(dataDirectory: scratch.path, ledger: ledger, report: events.add)
    var reported: [String: Int] = [:]
    for case .damaged(let file, let offset, let bytes, let copy) in events.elements {
      reported[file] = offset
      let kept = try #require(copy)
      #expect(FileSystem.size(kept) == offset + bytes)
    }
    let present = Set(try ledger.rows().compactMap { RecordID($0.attemptID) })
    for (path, damage) in damages {
      #expect(reported[path] ?? -1 == damage.start)
      #expect(damage.kept.allSatisfy { present.contains($0) })
      #expect(damage.lost.allSatisfy { !present.contains($0) })
    }
    #expect(try scratch.journalNames.allSatisfy { $0.hasSuffix(".corrupt") })
    #expect(try scratch.journalNames.count == reported.count)

    let rows = try ledger.rows()
    try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in }
    #expect(try ledger.rows() == rows)
  }

  @Test mutating func aFileThatIsNoSegmentOfItsInstanceIsKeptAsideWhole() throws {
    let instance = try leave([.opened(maker.opened())])
    let folder = "\(scratch.path)/journal/\(instance)"
    try FileSystem.write([UInt8](repeating: 0, count: 4_096), to: "\(folder)/1-1.log")
    // Another loop's bytes under a wrong name are not taken either.
    try FileSystem.write(FileSystem.read("\(folder)/0-1.log", from: 0, limit: .max), to: "\(folder)/2-1.log")
    try FileSystem.write([], to: "\(folder)/3-1.log")
    let ledger = try Ledger(dataDirectory: scratch.path)
    let summary = try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in }
    #expect(summary.records == 1)
    #expect(
      try scratch.journalNames == ["\(instance)-1-1.log.corrupt", "\(instance)-2-1.log.corrupt"])
  }

  @Test mutating func aSegmentThatCannotBeReadIsReportedAndDoesNotKeepTheOthersBack() throws {
    let broken = try leave([.opened(maker.opened())])
    try FileManager.default.createDirectory(
      atPath: "\(scratch.path)/journal/\(broken)/9-1.log", withIntermediateDirectories: false)
    _ = try leave([.opened(maker.opened())])
    let ledger = try Ledger(dataDirectory: scratch.path)
    let events = Collector<LedgerEvent>()
    let summary = try Recovery.run(dataDirectory: scratch.path, ledger: ledger, report: events.add)
    #expect(summary.instances == 1)
    guard case .foldFailed(let reason) = events.elements.first else {
      Issue.record("\(events.elements)")
      return
    }
    #expect(reason.contains("9-1.log"))
    #expect(try scratch.journalNames == ["\(broken)"])
  }

  @Test mutating func aSettleRecordWhoseOpenRecordIsLostIsStillCounted() throws {
    let opened = maker.opened()
    _ = try leave([.settled(maker.settled(opened))])
    let ledger = try Ledger(dataDirectory: scratch.path)
    try Recovery.run(dataDirectory: scratch.path, ledger: ledger) { _ in }
    let row = try #require(try ledger.rows().first)
    #expect(row.attemptID == opened.id.description)
    #expect(row.inputTokens == 101 && row.outcome == "completed" && row.flags.contains(.openMissing))
  }

  /// At every step a copy of the data directory, as a kill at that moment leaves it, recovers to exactly what was flushed.
  @Test mutating func aKillAtAnyMomentLosesNothingThatWasFlushedAndCountsNothingTwice() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let ledger = try Ledger(dataDirectory: scratch.path)
    let writer = LedgerWriter(instance: instance, ledger: ledger) { Issue.record("\($0)") }
    var limits = Journal.Limits()
    limits.segment = 2_000
    let journals = try (0..<2).map { try Journal(instance: instance, loop: $0, limits: limits) }
    var random = Xoshiro256(seed: (9, 8, 7, 6))
    var running: [[AttemptOpened]] = [[], []]
    var flushed: [RecordID: Outcome?] = [:]
    var appended: [[(RecordID, Outcome?)]] = [[], []]

    for step in 0..<400 {
      let loop = Int(random.next() % 2)
      switch random.next() % 10 {
      case 0...3:
        let opened = maker.opened()
        #expect(journals[loop].append(opened))
        running[loop].append(opened)
        appended[loop].append((opened.id, nil))
      case 4...6 where !running[loop].isEmpty:
        let opened = running[loop].remove(at: Int(random.next() % UInt64(running[loop].count)))
        #expect(journals[loop].append(maker.settled(opened)))
        appended[loop].append((opened.id, .completed))
      case 7, 8:
        #expect(journals[loop].flush())
        for (id, outcome) in appended[loop] { flushed[id] = .some(outcome) }
        appended[loop] = []
      default:
        try writer.foldNew()
      }
      guard step % 16 == 0 else { continue }
      let copy = try ScratchFolder()
      try FileManager.default.removeItem(atPath: copy.path)
      try FileManager.default.copyItem(atPath: scratch.path, toPath: copy.path)
      let copied = try Ledger(dataDirectory: copy.path)
      try Recovery.run(dataDirectory: copy.path, ledger: copied) { event in
        if case .damaged = event { Issue.record("\(event)") }
      }
      let rows = try copied.rows()
      #expect(Set(rows.map(\.attemptID)) == Set(flushed.keys.map(\.description)))
      #expect(rows.count == flushed.count)
      for row in rows {
        let id = try #require(RecordID(row.attemptID))
        #expect(row.outcome == (flushed[id] ?? nil)?.name ?? "interrupted")
      }
    }
    #expect(flushed.count > 50)
  }
}
