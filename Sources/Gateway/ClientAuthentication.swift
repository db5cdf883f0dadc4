import COpenSSL
import Catalog
import HTTP

/// Whose key a request carries. Belongs to one loop.
final class ClientAuthentication {
  enum Result {
    /// The name of the key; empty when the listener is open.
    case known(String)
    case missing
    case wrong
  }

  /// Checks `Authorization: Bearer …` by digest; the comparison takes the same time for every key.
  func check(_ head: RequestHead, _ bytes: Span<UInt8>, _ table: RouteTable) -> Result {
    if table.keys.isEmpty { return .known("") }
    guard let value = head.value("authorization", in: bytes) else { return .missing }
    let scheme = value.lowerBound..<min(value.lowerBound + 7, value.upperBound)
    guard bytes.matches(scheme, "bearer ") else { return .missing }
    var token = scheme.upperBound..<value.upperBound
    while let first = token.first, bytes[first] == 0x20 { token = first + 1..<token.upperBound }
    if token.isEmpty { return .missing }
    guard hash(bytes.extracting(token)) else { return .wrong }
    let digest = digest
    guard let index = table.keyIndex(digest: digest.span) else { return .wrong }
    return .known(table.keys[index].name)
  }

  // Fetched once: looking the algorithm up costs more than a short digest.
  private let algorithm = EVP_MD_fetch(nil, "SHA256", nil)
  private let context = EVP_MD_CTX_new()
  private var digest = [UInt8](repeating: 0, count: 32)

  deinit {
    EVP_MD_CTX_free(context)
    EVP_MD_free(algorithm)
  }

  /// Leaves the SHA-256 of the bytes in `digest`; false when OpenSSL fails.
  private func hash(_ bytes: Span<UInt8>) -> Bool {
    bytes.withUnsafeBufferPointer { input in
      digest.withUnsafeMutableBufferPointer { output in
        EVP_DigestInit_ex2(context, algorithm, nil) == 1
          && EVP_DigestUpdate(context, input.baseAddress, input.count) == 1
          && EVP_DigestFinal_ex(context, output.baseAddress, nil) == 1
      }
    }
  }
}
