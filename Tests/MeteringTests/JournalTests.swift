import Foundation
import Testing

@testable import Metering

@Suite struct JournalTests {
  private let scratch: ScratchFolder
  private var maker = RecordMaker(seed: 11)

  init() throws { scratch = try ScratchFolder() }

  @Test func checksumIsCRC32C() {
    let check = Array("123456789".utf8)
    #expect(check.withUnsafeBytes { CRC32C.checksum($0) } == 0xE306_9283)
    // RFC 3720, B.4: 32 bytes of zeros, of ones, ascending.
    #expect([UInt8](repeating: 0, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x8A91_36AA)
    #expect([UInt8](repeating: 0xFF, count: 32).withUnsafeBytes { CRC32C.checksum($0) } == 0x62A8_AB43)
    #expect([UInt8](0..<32).withUnsafeBytes { CRC32C.checksum($0) } == 0x46DD_794E)
    let (a, b) = (Array(check[..<3]), Array(check[3...]))
    let first = a.withUnsafeBytes { CRC32C.checksum($0) }
    #expect(b.withUnsafeBytes { CRC32C.checksum($0, after: first) } == 0xE306_9283)
  }

  @Test mutating func whatIsFlushedIsReadBackAsItWas() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let journal = try Journal(instance: instance, loop: 3)
    var expected: [JournalRecord] = []
    for outcome in Outcome.allCases + Outcome.allCases {
      let opened = maker.opened()
      let settled = maker.settled(opened, outcome: outcome)
      #expect(journal.append(opened))
      #expect(journal.flush())
      #expect(journal.append(settled))
      expected += [.opened(opened), .settled(settled)]
    }
    #expect(journal.close())
    #expect(try instance.records() == expected)
    #expect(try JournalInstance.segments(in: instance.folder).map(\.description) == ["3-1.log"])
  }

  @Test mutating func namesThatAreTooLongAreCutAtACharactersEdge() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let journal = try Journal(instance: instance, loop: 0)
    var opened = maker.opened()
    opened.model = "x" + String(repeating: "é", count: 100_000)
    #expect(journal.append(opened))
    #expect(journal.close())
    opened.model = "x" + String(repeating: "é", count: 511)
    #expect(try instance.records() == [.opened(opened)])
  }

  @Test mutating func filesAreForTheirOwnerOnly() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let journal = try Journal(instance: instance, loop: 0)
    #expect(journal.close())
    func mode(_ path: String) throws -> Int {
      try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }
    #expect(try mode("\(scratch.path)/journal") == 0o700)
    #expect(try mode(instance.folder) == 0o700)
    #expect(try mode("\(instance.folder)/lock") == 0o600)
    #expect(try mode("\(instance.folder)/0-1.log") == 0o600)
  }

  @Test mutating func aLongSegmentIsFollowedByANewOne() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    var limits = Journal.Limits()
    limits.segment = 1_000
    let journal = try Journal(instance: instance, loop: 0, limits: limits)
    var expected: [JournalRecord] = []
    for _ in 0..<40 {
      let opened = maker.opened()
      expected.append(.opened(opened))
      #expect(journal.append(opened))
      #expect(journal.flush())
    }
    #expect(journal.close())
    #expect(try JournalInstance.segments(in: instance.folder).count > 3)
    #expect(try instance.records() == expected)
  }

  @Test mutating func aFailedOrShortWriteLeavesNoTraceAndLosesNothing() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let disk = FailingDisk(seed: 5)
    var limits = Journal.Limits()
    limits.segment = 4_000
    let journal = try Journal(instance: instance, loop: 0, limits: limits, write: disk.write)
    var expected: [JournalRecord] = []
    var failures = 0
    disk.isFailing = true
    for _ in 0..<300 {
      let opened = maker.opened()
      let settled = maker.settled(opened)
      #expect(journal.append(opened))
      #expect(journal.append(settled))
      expected += [.opened(opened), .settled(settled)]
      if journal.flush() {
        #expect(journal.pendingBytes == 0)
        #expect(try instance.records() == expected)
      } else {
        failures += 1
        #expect(journal.pendingBytes > 0)
        // What the file has is whole records, all of them flushed before.
        #expect(try instance.records().count < expected.count)
      }
    }
    disk.isFailing = false
    #expect(journal.close())
    #expect(failures > 50)
    #expect(try instance.records() == expected)
  }

  @Test mutating func aFullJournalRefusesNewAttemptsBeforeItRefusesToSettleThoseThatRun() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let disk = FailingDisk(seed: 1)
    var limits = Journal.Limits()
    limits.pending = 10_000
    let journal = try Journal(instance: instance, loop: 0, limits: limits, write: disk.write)
    disk.isFull = true
    var expected: [JournalRecord] = []
    while true {
      let opened = maker.opened()
      guard journal.append(opened) else { break }
      expected.append(.opened(opened))
      #expect(!journal.flush())
    }
    #expect(journal.isFull)
    for case .opened(let opened) in expected {
      let settled = maker.settled(opened.attempt)
      #expect(journal.append(settled))
      expected.append(.settled(settled))
    }
    while journal.append(maker.settled(maker.opened())) { #expect(journal.pendingBytes < 11_000) }

    disk.isFull = false
    #expect(journal.flush())
    #expect(!journal.isFull)
    #expect(journal.append(maker.opened()))
    #expect(try Array(instance.records().prefix(expected.count)) == expected)
  }

  @Test mutating func anInterruptedWriteIsTriedAgainAtOnce() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let disk = FailingDisk(seed: 1)
    let journal = try Journal(instance: instance, loop: 0, write: disk.write)
    disk.interruptions = 3
    let opened = maker.opened()
    #expect(journal.append(opened))
    #expect(journal.flush())
    #expect(disk.interruptions == 0)
    #expect(try instance.records() == [.opened(opened)])
  }

  @Test mutating func aLoopWithoutRoomForASegmentDoesNotStart() throws {
    let instance = try JournalInstance(scratch, &maker.ids)
    let disk = FailingDisk(seed: 1)
    disk.isFull = true
    #expect(throws: JournalError.self) { try Journal(instance: instance, loop: 0, write: disk.write) }
    #expect(try JournalInstance.segments(in: instance.folder).isEmpty)
  }
}

/// `write(2)` that fails when it is told to: not at all, short, or with no space left.
private final class FailingDisk {
  var isFailing = false
  var isFull = false
  var interruptions = 0
  private var random: Xoshiro256

  init(seed: UInt64) { random = Xoshiro256(seed: (seed, 2, 3, 4)) }

  func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    if interruptions > 0 {
      interruptions -= 1
      errno = EINTR
      return -1
    }
    let fate = isFull ? 0 : isFailing ? random.next() % 3 : 2
    switch fate {
    case 0:
      errno = ENOSPC
      return -1
    case 1:
      return Glibc.write(file, bytes.baseAddress, Int(random.next() % UInt64(bytes.count)))
    default:
      return Glibc.write(file, bytes.baseAddress, bytes.count)
    }
  }
}
