import Glibc

/// The six names of an attempt: who asked for what, and where it went. Few occur, so each is kept once, here while
/// journals are read and in the ledger, where an attempt has its lane's number.
///
/// Belongs to the thread that reads the journal; never `Sendable`.
final class Lane {
  let key: String
  let route: String
  let rule: String
  let model: String
  let provider: String
  let endpoint: String
  /// The lane's number in the ledger, once it is known there.
  var number: Int64?

  init(key: String, route: String, rule: String, model: String, provider: String, endpoint: String) {
    self.key = key
    self.route = route
    self.rule = rule
    self.model = model
    self.provider = provider
    self.endpoint = endpoint
  }

  /// The lane of an attempt whose names are lost.
  static var unnamed: Lane { Lane(key: "", route: "", rule: "", model: "", provider: "", endpoint: "") }

  /// In the order of the journal and of the ledger's columns.
  var names: [String] { [key, route, rule, model, provider, endpoint] }

  /// Writes the names into an attempt.
  func name(_ attempt: inout AttemptOpened) {
    attempt.key = key
    attempt.route = route
    attempt.rule = rule
    attempt.model = model
    attempt.provider = provider
    attempt.endpoint = endpoint
  }
}

extension Lane: Equatable {
  static func == (a: Lane, b: Lane) -> Bool { a === b || a.names == b.names }
}

/// The lanes that one reader of journals has met, found by the bytes that the journal has for them: an attempt of a known
/// lane makes no `String`.
final class LaneCache {
  /// Names come from the routes file, so more than this is not expected; beyond it the cache begins anew.
  private static let limit = 8_192

  private struct Entry {
    var bytes: [UInt8]
    var lane: Lane
  }

  private var entries: [UInt32: Entry] = [:]

  /// The lane whose names are `bytes[range]`; `make` decodes them when it is new.
  func lane(_ bytes: [UInt8], _ range: Range<Int>, make: () -> Lane?) -> Lane? {
    let hash = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[range])) }
    if let entry = entries[hash], entry.bytes.elementsEqual(bytes, in: range) { return entry.lane }
    guard let lane = make() else { return nil }
    if entries.count >= Self.limit { entries.removeAll() }
    entries[hash] = Entry(bytes: Array(bytes[range]), lane: lane)
    return lane
  }
}

extension [UInt8] {
  fileprivate func elementsEqual(_ other: [UInt8], in range: Range<Int>) -> Bool {
    guard count == range.count else { return false }
    return withUnsafeBytes { mine in
      other.withUnsafeBytes { all in
        guard let a = mine.baseAddress, let b = all.baseAddress else { return range.isEmpty }
        return memcmp(a, b + range.lowerBound, range.count) == 0
      }
    }
  }
}
