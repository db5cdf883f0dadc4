/// Reads little-endian values from a stretch of bytes; nil when too few are left.
struct ByteReader {
  private let bytes: [UInt8]
  private var at: Int
  private let end: Int

  init(_ bytes: [UInt8], from start: Int, to end: Int) {
    self.bytes = bytes
    self.at = start
    self.end = end
  }

  var isAtEnd: Bool { at == end }

  mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> T? {
    let size = MemoryLayout<T>.size
    guard end - at >= size else { return nil }
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: T.self) }
    at += size
    return T(littleEndian: value)
  }

  mutating func id() -> RecordID? {
    guard let high = integer(UInt64.self), let low = integer(UInt64.self) else { return nil }
    return RecordID(high: high, low: low)
  }

  /// The six names of an attempt, each its length in 16 bits and then UTF-8; one that was read before comes from `lanes`.
  mutating func lane(_ lanes: LaneCache) -> Lane? {
    let start = at
    for _ in 0..<6 {
      guard let length = integer(UInt16.self), end - at >= Int(length) else { return nil }
      at += Int(length)
    }
    return lanes.lane(bytes, start..<at) {
      var names = ByteReader(bytes, from: start, to: at)
      guard let key = names.name(), let route = names.name(), let rule = names.name(), let model = names.name(),
        let provider = names.name(), let endpoint = names.name()
      else { return nil }
      return Lane(key: key, route: route, rule: rule, model: model, provider: provider, endpoint: endpoint)
    }
  }

  private mutating func name() -> String? {
    guard let length = integer(UInt16.self), end - at >= Int(length) else { return nil }
    defer { at += Int(length) }
    return String(decoding: bytes[at..<(at + Int(length))], as: UTF8.self)
  }
}
