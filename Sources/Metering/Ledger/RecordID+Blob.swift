import FoundationEssentials

/// The ledger's form of an id: the 16 bytes of the UUID, whose order is that of the ids.
extension RecordID {
  var blob: Data { withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Data($0) } }

  /// Nil when it is not 16 bytes.
  init?(blob: Data) {
    guard blob.count == 16 else { return nil }
    func half(_ bytes: Data.SubSequence) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    self.init(high: half(blob.prefix(8)), low: half(blob.suffix(8)))
  }

  /// Not above any id of this time or later.
  init(floorOfUnixMilliseconds time: Int64) {
    self.init(high: UInt64(min(max(0, time), 0xFFFF_FFFF_FFFF)) << 16, low: 0)
  }
}
