/// The pace of one simulated provider. What goes wrong is not its business: that is chosen by the model's name.
public struct SimulatedProvider: Sendable, Equatable {
  /// Its part of the path, `/NAME/v1/chat/completions`: letters, digits, `.`, `_` and `-`, and not `v1`.
  public var name: String
  /// From the whole request to the first token, in milliseconds.
  public var firstTokenMilliseconds: Int
  /// Tokens per second and choice; 0: as fast as the reader takes them.
  public var tokensPerSecond: Double
  /// How far both times may lie off, as a share of them, 0 to 1: each is drawn evenly from 1 - jitter to 1 + jitter.
  public var jitter: Double

  public init(name: String, firstTokenMilliseconds: Int = 0, tokensPerSecond: Double = 0, jitter: Double = 0) {
    self.name = name
    self.firstTokenMilliseconds = firstTokenMilliseconds
    self.tokensPerSecond = tokensPerSecond
    self.jitter = jitter
  }

  /// The one behind plain `/v1/…`: no waiting at all.
  static let unpaced = SimulatedProvider(name: "default")

  /// What is wrong with it, or `nil`.
  var mistake: String? {
    let isPathSegment = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    if name.isEmpty || name == "v1" || !isPathSegment {
      return "the provider's name \"\(name)\" must be letters, digits, '.', '_' and '-', and not v1"
    }
    if firstTokenMilliseconds < 0 || firstTokenMilliseconds > 86_400_000 {
      return "\(name): the time to the first token must be 0 to 86400000 ms"
    }
    if !(tokensPerSecond == 0 || tokensPerSecond >= 0.001 && tokensPerSecond <= 1e9) {
      return "\(name): tokens per second must be 0 (no limit) or 0.001 to 1000000000"
    }
    return jitter >= 0 && jitter <= 1 ? nil : "\(name): jitter must be 0 to 1"
  }
}
