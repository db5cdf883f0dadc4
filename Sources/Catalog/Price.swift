/// What one token costs at one endpoint, in pico-USD per token (10^-12 USD; 1 USD per million tokens is 1,000,000).
///
/// A kind of token without a price of its own is `nil`: it is then charged as an input token.
public struct Price: Sendable, Equatable {
  /// Pico-USD per input token.
  public let input: Int64
  /// Pico-USD per input token that the provider read from its cache.
  public let cachedInput: Int64?
  /// Pico-USD per input token that the provider wrote to its cache.
  public let cacheWrite: Int64?
  /// Pico-USD per output token.
  public let output: Int64
  /// FNV-1a (64 bits) of the four values: the same prices have the same version in every process, so that a ledger row
  /// can say by which prices its cost was computed.
  public let version: UInt64

  public init(input: Int64, cachedInput: Int64? = nil, cacheWrite: Int64? = nil, output: Int64) {
    self.input = input
    self.cachedInput = cachedInput
    self.cacheWrite = cacheWrite
    self.output = output
    var hash = FNV1a()
    hash.combine(input)
    hash.combine(cachedInput ?? -1)
    hash.combine(cacheWrite ?? -1)
    hash.combine(output)
    version = hash.value
  }
}
