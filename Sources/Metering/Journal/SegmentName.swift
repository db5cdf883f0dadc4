/// A segment's file name: `<loop>-<sequence>.log`, decimal.
struct SegmentName: Hashable, Comparable, Sendable, CustomStringConvertible {
  var loop: UInt16
  var sequence: UInt64

  init(loop: UInt16, sequence: UInt64) {
    self.loop = loop
    self.sequence = sequence
  }

  /// Nil when the name is not a segment's.
  init?(_ fileName: String) {
    guard fileName.hasSuffix(".log") else { return nil }
    let parts = fileName.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let loop = UInt16(parts[0]), let sequence = UInt64(parts[1]) else { return nil }
    self.init(loop: loop, sequence: sequence)
    guard description == fileName else { return nil }
  }

  var description: String { "\(loop)-\(sequence).log" }

  static func < (a: SegmentName, b: SegmentName) -> Bool {
    a.loop != b.loop ? a.loop < b.loop : a.sequence < b.sequence
  }
}
