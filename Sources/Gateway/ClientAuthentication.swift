import COpenSSL
import Catalog
import HTTP

/// Whose key a request carries.
enum ClientAuthentication {
  enum Result {
    /// The name of the key; empty when the listener is open.
    case known(String)
    case missing
    case wrong
  }

  /// Checks `Authorization: Bearer …` by digest; the comparison takes the same time for every key.
  static func check(_ head: RequestHead, _ bytes: Span<UInt8>, _ table: RouteTable) -> Result {
    if table.keys.isEmpty { return .known("") }
    guard let value = head.value("authorization", in: bytes) else { return .missing }
    let scheme = value.lowerBound..<min(value.lowerBound + 7, value.upperBound)
    guard bytes.matches(scheme, "bearer ") else { return .missing }
    var token = scheme.upperBound..<value.upperBound
    while let first = token.first, bytes[first] == 0x20 { token = first + 1..<token.upperBound }
    if token.isEmpty { return .missing }
    guard let digest = sha256(bytes.extracting(token)), let index = table.keyIndex(digest: digest.span) else {
      return .wrong
    }
    return .known(table.keys[index].name)
  }

  private static func sha256(_ bytes: Span<UInt8>) -> [UInt8]? {
    bytes.withUnsafeBufferPointer { input in
      var digest = [UInt8](repeating: 0, count: 32)
      let made = digest.withUnsafeMutableBufferPointer { SHA256(input.baseAddress, input.count, $0.baseAddress) != nil }
      return made ? digest : nil
    }
  }
}
