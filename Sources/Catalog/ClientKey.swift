/// A client's key: only its digest is known.
public struct ClientKey: Sendable {
  /// The place in `RouteTable.keys`.
  public let index: Int
  public let name: String
  /// SHA-256 of the key, 32 bytes.
  public let digest: [UInt8]
  /// How many completions it may have at once; `nil`: as many as there are.
  public let concurrency: Int?
}
