import HTTP
import Routing
import Wire

extension RequestSource {
  /// Reads a request's head for the choice.
  ///
  /// - Parameter wanted: the lower-case names of the header fields that rules look at.
  mutating func read(_ head: RequestHead, _ bytes: Span<UInt8>, wanted: [String]) throws(RequestError) {
    // Most requests have none of these: their names' first letters find that out.
    var mayBeOurs = false
    for field in head.fields where !mayBeOurs {
      let first = bytes[field.name.lowerBound] | 0x20
      mayBeOurs = first == UInt8(ascii: "x") || first == UInt8(ascii: "s")
    }
    if mayBeOurs {
      for name in Self.fieldNames {
        guard let value = head.value(name, in: bytes) else { continue }
        try take(name.description, Self.text(bytes, value), wanted: [])
      }
    }
    if wanted.isEmpty { return }
    for field in head.fields {
      let name = Self.text(bytes, field.name).lowercased()
      if wanted.contains(name) { try take(name, Self.text(bytes, field.value), wanted: wanted) }
    }
  }

  private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
    bytes.extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}
