/// Why a provider's chunk is not one: never forwarded, and the attempt has failed.
public struct ChunkError: Error, Sendable, Equatable {
  /// What is wrong and at which byte of the chunk; holds nothing of its text.
  public let message: String

  init(_ fault: JSONFault) { message = "the provider sent a malformed chunk: \(fault.what) at byte \(fault.offset)" }
}
