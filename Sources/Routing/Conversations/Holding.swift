/// What one endpoint has of one conversation, or of one shared prefix. Packed into 32 bytes: there are many.
struct Holding {
  /// `Endpoint.key`.
  let endpoint: UInt64
  /// Monotonic nanoseconds of the newest turn there.
  var usedAt: UInt64
  /// Tokens of the newest turn; 0 when nothing is to be expected any more.
  var promptTokens: UInt32 = 0
  var outputTokens: UInt32 = 0
  /// Milliseconds that the cache lives after its last use.
  private var cacheLife: UInt32 = 0
  private var packedYield: UInt16
  private var flags: UInt8 = 0

  /// How long a conversation is remembered after its newest turn; signatures matter as long as the history does.
  static let memory: UInt64 = 24 * 3600 * 1_000_000_000
  /// The yield of an endpoint that never had a chance to show one: `EndpointEstimate`'s.
  static let unknownYield = EndpointEstimate().cacheYield
  /// How much of a new report is taken over.
  private static let yieldStep = 0.5

  init(endpoint: UInt64, usedAt: UInt64) {
    self.endpoint = endpoint
    self.usedAt = usedAt
    packedYield = Self.pack(Self.unknownYield)
  }

  var isHolder: Bool {
    get { flags & 1 != 0 }
    set { flags = newValue ? flags | 1 : flags & ~1 }
  }

  var madeSignatures: Bool {
    get { flags & 2 != 0 }
    set { flags = newValue ? flags | 2 : flags & ~2 }
  }

  /// The endpoint once reported more cached tokens than the last prompt had: it keeps its answers in the cache.
  var keepsOutput: Bool {
    get { flags & 4 != 0 }
    set { flags = newValue ? flags | 4 : flags & ~4 }
  }

  var yield: Double { Double(packedYield) / Double(UInt16.max) }

  /// What is probably still in the cache at `now`.
  func tokens(now: UInt64) -> Int64 {
    let idle = now > usedAt ? now - usedAt : 0
    guard idle <= UInt64(cacheLife) * 1_000_000 else { return 0 }
    return Int64(promptTokens) + (keepsOutput ? Int64(outputTokens) : 0)
  }

  /// Nothing in here says anything any more.
  func isForgotten(now: UInt64) -> Bool {
    now > usedAt && now - usedAt > Self.memory
  }

  /// Takes in a turn that succeeded.
  ///
  /// - Parameters:
  ///   - cached: as reported; `nil` is unknown.
  ///   - expected: cached tokens that were expected when the endpoint was chosen; 0: it had no chance to show a yield.
  mutating func use(
    prompt: Int64, output: Int64, cached: Int64?, expected: Int64, cacheLife nanoseconds: UInt64, now: UInt64
  ) {
    if let cached, expected > 0 {
      let share = min(Double(max(cached, 0)) / Double(expected), 1)
      packedYield = Self.pack(yield + Self.yieldStep * (share - yield))
      if promptTokens > 0, outputTokens > 0 {
        // What a template puts between turns is also more than the last prompt: half of the answer must be in it.
        let proof = Int64(promptTokens) + Int64(outputTokens / 2)
        if cached > proof { keepsOutput = true } else if cached <= Int64(promptTokens) { keepsOutput = false }
      }
    }
    promptTokens = UInt32(clamping: prompt)
    outputTokens = UInt32(clamping: output)
    cacheLife = UInt32(clamping: nanoseconds / 1_000_000)
    usedAt = max(usedAt, now)
  }

  /// Takes in a turn that failed: nothing is to be expected of its cache.
  mutating func fail(now: UInt64, madeSignatures made: Bool) {
    promptTokens = 0
    outputTokens = 0
    isHolder = false
    guard made else { return }
    madeSignatures = true
    usedAt = max(usedAt, now)
  }

  private static func pack(_ yield: Double) -> UInt16 {
    UInt16(exactly: (min(max(yield, 0), 1) * Double(UInt16.max)).rounded()) ?? 0
  }
}
