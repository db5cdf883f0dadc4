/// A provider's own list of its models. What it holds is untrusted: whatever can be read is used, and what cannot is
/// named.
public enum ProviderList {
  /// How many models of one list are used.
  public static let mostModels = 10_000
  /// How many entries of one list are looked at, the bad ones included.
  public static let mostEntries = 100_000
  /// How many bytes of one list are read.
  public static let mostBytes = 64 << 20

  /// Reads a whole list.
  ///
  /// Wire formats: OpenRouter's provider schema 2.4 and its legacy form, OpenRouter's `/models` and
  /// `/models/{author}/{slug}/endpoints`, `/models` of OpenAI and vLLM, and of io.net.
  ///
  /// - Parameters:
  ///   - body: what the provider answered with.
  ///   - now: seconds since 1970. What the list says will end before, has ended.
  ///   - timeToLive: seconds for which its prices count as current.
  /// - Returns: the models in the order of the list, and what was wrong with it, one line each: at most 100 and one
  ///   that counts the rest.
  public static func read(
    _ body: [UInt8], format: DiscoveryFormat, now: Int64, timeToLive: Int64
  ) -> (models: [DiscoveredModel], mistakes: [String]) {
    let (staleAt, overflows) = now.addingReportingOverflow(max(0, timeToLive))
    var reading = ListReading(format: format, now: now, staleAt: overflows ? .max : staleAt)
    reading.read(body)
    return (reading.models, reading.mistakes.all)
  }
}
