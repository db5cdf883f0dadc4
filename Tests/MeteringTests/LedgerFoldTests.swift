import Testing

@testable import Metering

/// An attempt's records may come to the ledger in any batches: its row is the same.
@Suite struct LedgerFoldTests {
  private let scratch: ScratchFolder
  private let ledger: Ledger
  private let instance: RecordID
  private var maker = RecordMaker(seed: 47)

  init() throws {
    scratch = try ScratchFolder()
    ledger = try Ledger(dataDirectory: scratch.path)
    instance = maker.ids.next(unixMilliseconds: 1_790_000_000_000)
  }

  private mutating func records(_ count: Int) -> [UsageRecord] {
    (0..<count).map { number in
      let opened = maker.opened()
      let outcome = Outcome.allCases[number % Outcome.allCases.count]
      return UsageRecord(opened: opened, settled: maker.settled(opened, outcome: outcome))
    }
  }

  @Test mutating func aRowIsTheSameWhetherItsEndCameWithItsStartOrLater() throws {
    let all = records(100)
    let together = try ledger.fold(all.flatMap { [.opened($0.opened), .settled($0.settled)] }, of: instance)
    #expect(together == all)
    let other = try ScratchFolder()
    let apart = try Ledger(dataDirectory: other.path)
    #expect(try apart.fold(all.map { .opened($0.opened) }, of: instance).isEmpty)
    #expect(try apart.rows().allSatisfy { $0.outcome == "open" && !$0.isFinal && $0.duration == nil })
    #expect(try apart.fold(all.map { .settled($0.settled) }, of: instance) == all)
    #expect(try apart.rows() == ledger.rows())
    #expect(try apart.unfinishedInstances().isEmpty)
  }

  @Test(arguments: [1, 2, 3])
  mutating func aUsageThatComesLateCompletesTheRowAndNothingElseDoes(_ batches: Int) throws {
    let opened = maker.opened()
    var settled = maker.settled(opened)
    settled.usage = .init()
    settled.cost = nil
    settled.flags = .usageMissing
    var late = settled
    (late.usage.input, late.usage.output, late.cost) = (7, 5, 12_000)
    late.flags = .usageLate
    var other = late
    other.cost = 1
    let records: [JournalRecord] = [.opened(opened), .settled(settled), .settled(late), .settled(other)]
    let first = batches == 1 ? records : batches == 2 ? Array(records[..<2]) : Array(records[..<1])
    var told = try ledger.fold(first, of: instance)
    told += try ledger.fold(Array(records.dropFirst(first.count)), of: instance)
    // What was folded before may be folded again.
    told += try ledger.fold(records, of: instance)
    #expect(told.count == 1)
    let row = try #require(try ledger.rows().first)
    #expect(row.inputTokens == 7 && row.outputTokens == 5 && row.costNanoUSD == 12_000)
    #expect(row.flags == .usageLate && row.isFinal)
    #expect(try ledger.rows().count == 1)
  }

  @Test mutating func aRowHasAllThatWasJournaled() throws {
    for record in records(40) {
      try ledger.fold([.opened(record.opened), .settled(record.settled)], of: instance)
      let row = try #require(try ledger.rows().first)
      let (opened, settled) = (record.opened, record.settled)
      #expect(row.attemptID == opened.id.description && row.completionID == opened.completion.description)
      #expect(row.unixMilliseconds == Int64(opened.unixMilliseconds) && row.attempt == Int64(opened.attempt))
      #expect((row.key ?? "") == opened.key && row.route == opened.route && (row.rule ?? "") == opened.rule)
      #expect(row.model == opened.model && row.provider == opened.provider && row.endpoint == opened.endpoint)
      #expect(row.reason == opened.reason.name && row.streamed == opened.streamed)
      #expect(row.promptBytes == Int64(opened.promptBytes) && row.priceVersion == settled.priceVersion)
      #expect(row.inputTokens == settled.usage.input && row.outputTokens == settled.usage.output)
      #expect(row.cachedInputTokens == settled.usage.cachedInput && row.cacheWriteTokens == nil)
      #expect(row.reasoningTokens == nil && row.observedOutputTokens == settled.observedOutput)
      #expect(row.inputSource == settled.inputSource.name && row.outputSource == settled.outputSource.name)
      #expect(row.costNanoUSD == settled.cost && row.duration == Int64(settled.duration))
      #expect(row.timeToFirstToken == settled.timeToFirstToken.map { Int64($0) })
      #expect(row.outcome == settled.outcome.name && row.failure == settled.failure.name)
      #expect(row.httpStatus == 200 && row.isFinal == settled.isFinal && row.flags == settled.flags)
    }
  }

  @Test mutating func aBatchThatOverlapsWhatIsThereSettlesOnlyWhatIsNew() throws {
    let all = records(90)
    let (new, whole, open) = (all[..<30], all[30..<60], all[60...])
    try ledger.fold(whole.flatMap { [.opened($0.opened), .settled($0.settled)] }, of: instance)
    try ledger.fold(open.map { .opened($0.opened) }, of: instance)
    let again = all.flatMap { [JournalRecord.opened($0.opened), .settled($0.settled)] }
    // A second end of an attempt changes nothing.
    let repeated = all.map { record in
      var settled = record.settled
      settled.cost = 1
      return JournalRecord.settled(settled)
    }
    #expect(try ledger.fold(again + repeated, of: instance) == Array(new + open))
    let rows = try ledger.rows()
    #expect(rows.map(\.attemptID) == all.reversed().map(\.opened.id.description))
    #expect(rows.map(\.costNanoUSD) == all.reversed().map(\.settled.cost))
    #expect(try ledger.fold(again + repeated, of: instance).isEmpty)
    #expect(try ledger.rows() == rows)
  }

  @Test mutating func aSettleRecordThatComesBeforeItsOpenRecordInABatchIsJoinedToIt() throws {
    let record = records(1)[0]
    #expect(try ledger.fold([.settled(record.settled), .opened(record.opened)], of: instance) == [record])
    #expect(try ledger.rows().map(\.flags) == [record.settled.flags])
  }

  @Test mutating func lanesWhoseBytesHaveTheSameChecksumAreKeptApart() throws {
    func bytes(_ endpoint: String) -> [UInt8] {
      ByteCursor.bytes(capacity: 256) { cursor in
        for name in ["key", "route", "", "model", "provider", endpoint] { cursor.name(name) }
      }
    }
    var seen: [UInt32: String] = [:]
    var random = Xoshiro256(seed: (5, 6, 7, 8))
    var pair: (String, String)?
    while pair == nil {
      let endpoint = String(random.next(), radix: 36)
      let checksum = bytes(endpoint).withUnsafeBytes { CRC32C.checksum($0) }
      if let other = seen.updateValue(endpoint, forKey: checksum), other != endpoint { pair = (other, endpoint) }
    }
    let (first, second) = try #require(pair)
    let lanes = LaneCache()
    for endpoint in [first, second, first, second] {
      let all = bytes(endpoint)
      var reader = ByteReader(all, from: 0, to: all.count)
      #expect(reader.lane(lanes)?.endpoint == endpoint)
      #expect(reader.isAtEnd)
    }
    let all = bytes(first)
    var (one, two) = (ByteReader(all, from: 0, to: all.count), ByteReader(all, from: 0, to: all.count))
    #expect(one.lane(lanes) === two.lane(lanes))
    for end in all.indices {
      var cut = ByteReader(all, from: 0, to: end)
      #expect(cut.lane(lanes) == nil)
    }
  }
}
