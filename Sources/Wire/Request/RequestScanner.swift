/// Reads a request body once, as it arrives, for what routing needs; the bytes themselves stay as they are.
///
/// The whole body is checked against RFC 8259, without recursion and without decoding: at most 128 levels and 512
/// top-level keys. A key that is there twice, or that equals a routed key except for case, is refused, because the
/// engine behind could read it otherwise than the router did (price and permission would then be decided on another
/// request than the one that runs).
public struct RequestScanner: Sendable {
  /// How deeply a body may nest.
  public static let depthLimit = 128
  /// How many keys the top level may have.
  public static let keyLimit = 512
  /// How long one top-level key may be, in bytes as written.
  public static let keyLengthLimit = 256
  /// How long a model name may be, in bytes.
  public static let modelLengthLimit = 512

  /// One member of the top level.
  struct Member: Sendable, Equatable {
    /// Without its quotes.
    let key: Range<Int>
    let hash: UInt64
    let routed: RoutedKey?
    /// The parameter that it is, when it is one and not null.
    var parameter: ParameterSet = []
    var value: Range<Int> = 0..<0
    var kind = JSONKind.null
  }

  /// FNV-1a of a key, byte by byte.
  static let hashStart: UInt64 = 0xcbf2_9ce4_8422_2325
  @inline(__always)
  static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

  let kind: RequestKind
  private(set) var members: [Member] = []
  private(set) var prompt = PromptReading()
  private(set) var afterBrace = 0
  private var stepper = JSONStepper(depthLimit: RequestScanner.depthLimit, observedDepth: 1)

  public init(kind: RequestKind) {
    self.kind = kind
    members.reserveCapacity(32)
  }

  /// Reads on from where the last call stopped.
  ///
  /// - Parameter body: all bytes received so far: those of the last call with more behind them.
  public mutating func scan(_ body: Span<UInt8>) throws(RequestError) {
    try body.withJSONBytes { (bytes) throws(RequestError) in try scan(bytes) }
  }

  /// Ends the reading: the body is complete.
  public mutating func finish(_ body: Span<UInt8>) throws(RequestError) -> RequestScan {
    try body.withJSONBytes { (bytes) throws(RequestError) in
      try scan(bytes)
      guard stepper.isComplete else { throw RequestError(JSONFault(.unexpectedEnd, at: bytes.count)) }
      return try interpret(bytes)
    }
  }

  private mutating func scan(_ bytes: JSONBytes) throws(RequestError) {
    if afterBrace == 0 {
      let first = bytes.blankEnd(from: stepper.position)
      guard first < bytes.count else { return }
      guard bytes[first] == UInt8(ascii: "{") else {
        throw RequestError(.invalidJSON, nil, "The body must be one JSON object; byte \(first) is no opening brace.")
      }
      afterBrace = first + 1
    }
    while true {
      let event: JSONStepper.Event
      do { event = try stepper.next(in: bytes) } catch { throw RequestError(error) }
      switch event {
      case .needsMore: return
      case .key(let range, let isEscaped):
        try add(bytes, range, isEscaped: isEscaped)
        watchInside()
      case .value(let range, let kind):
        members[members.count - 1].value = range
        members[members.count - 1].kind = kind
        members[members.count - 1].parameter = Self.parameter(bytes, members[members.count - 1])
        stepper.watch = .none
        stepper.watchedValues = .none
        stepper.watchesElements = false
      case .innerKey(let range, let isEscaped):
        if prompt.key(bytes, range, isEscaped: isEscaped, depth: stepper.depth), stepper.watchedValues == .none {
          stepper.watchedValues = .next
        }
      case .innerValue(let range, let kind): prompt.value(bytes, range, kind, depth: stepper.innerDepth)
      case .element(let range):
        prompt.endMessage(range)
        if !prompt.isLeading {
          stepper.watch = PromptReading.inMessages
          stepper.watchedValues = .none
          stepper.watchesElements = false
        }
      }
    }
  }

  /// Looks into the value of the key that was just read, if there is something to be learnt.
  private mutating func watchInside() {
    switch members[members.count - 1].routed {
    case .messages where kind == .chatCompletions:
      prompt.begin(tools: false)
      stepper.watch = PromptReading.inLeadingMessages
      stepper.watchedValues = .all
      stepper.watchesElements = true
    case .tools:
      prompt.begin(tools: true)
      stepper.watch = PromptReading.inTools
    default: break
    }
  }

  private mutating func add(_ bytes: JSONBytes, _ key: Range<Int>, isEscaped: Bool) throws(RequestError) {
    guard key.count <= Self.keyLengthLimit else {
      throw RequestError(
        .tooLong, nil,
        "The key at byte \(key.lowerBound) is longer than \(Self.keyLengthLimit) bytes; use a shorter one.")
    }
    guard members.count < Self.keyLimit else {
      throw RequestError(
        .tooManyKeys, nil,
        "The body has more than \(Self.keyLimit) keys at its top level (byte \(key.lowerBound)); send fewer.")
    }
    var isPlain = !isEscaped
    var hash = Self.hashStart
    for byte in JSONUnescaped(bytes, key) {
      hash = Self.hash(hash, byte)
      if byte >= 0x80 { isPlain = false }
    }
    for member in members
    where member.hash == hash && JSONUnescaped(bytes, member.key).elementsEqual(JSONUnescaped(bytes, key)) {
      throw RequestError(
        .duplicateKey, member.routed.map { "\($0.name)" },
        "The key at byte \(key.lowerBound) is already at byte \(member.key.lowerBound); send each key once.")
    }
    let routed: RoutedKey?
    switch RoutedKey.match(bytes, key, isPlain: isPlain) {
    case .none: routed = nil
    case .exact(let name): routed = name
    case .ambiguous(let name):
      throw RequestError(
        .ambiguousKey, "\(name.name)",
        "The key at byte \(key.lowerBound) differs from `\(name.name)` only in case; write `\(name.name)`.")
    }
    members.append(Member(key: key, hash: hash, routed: routed))
  }
}
