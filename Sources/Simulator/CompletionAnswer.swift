import Loop

/// The answer to one completion as it comes about: head, events or one JSON object, and the faults that were asked for.
///
/// A value without I/O or clock: `produce` takes the time and makes the next piece.
struct CompletionAnswer: ~Copyable {
  enum Progress {
    /// A piece was made, the next may follow at once.
    case more
    /// Nothing before this time, in monotonic nanoseconds.
    case wait(UInt64)
    /// Nothing ever again, and the connection stays.
    case silence
    /// All of it was made.
    case ended(Closing)
  }

  enum Phase { case head, opening, tokens, filler(Int), finish, usage, done }

  let behaviour: ModelBehaviour
  let isChat: Bool
  let isStreamed: Bool
  let wantsUsage: Bool
  let choices: Int
  /// Tokens per choice, those that the request holds already not counted.
  let tokens: Int
  /// What the request holds already of the answer's text.
  let beginning: AnswerBeginning
  /// What is repeated at the start, as content of a JSON string.
  let echo: [UInt8]
  /// The token of the whole answer with which a tool call begins.
  let toolStart: Int
  let finishReason: StaticString
  let promptTokens: Int
  let seed: UInt64
  let identifier: String
  let created: Int64
  let model: [UInt8]
  let provider: String
  let mayChunk: Bool

  private let headDue: UInt64
  private let interval: Double
  private let jitter: Double
  private var draws: UInt64
  private var due: UInt64
  private var nextComment: UInt64
  var phase = Phase.head
  private var index = 0
  private var hasMalformed = false

  /// The event or body that is being put together.
  var event = ByteBuffer()
  let eventStart: String
  /// The closing brace and the end of its line.
  let eventClose: String
  let lineEnd: String
  /// Content tokens, of all choices, whose events are out.
  var tokensSent = 0
  /// Whether the finish event of every choice is out.
  var finishSent = false
  /// The usage as it was sent.
  var usageSent: String?

  init(
    _ request: SimulatedRequest, isChat: Bool, behaviour: ModelBehaviour, provider: SimulatedProvider, mayChunk: Bool,
    model: [UInt8], identifier: String, beginning: AnswerBeginning, echo: [UInt8], created: Int64, now: UInt64
  ) {
    self.behaviour = behaviour
    self.isChat = isChat
    isStreamed = request.isStreamed != behaviour.swapsForm
    wantsUsage = request.wantsUsage
    choices = behaviour.ignoresN ? 1 : request.choices
    self.beginning = beginning
    self.echo = echo
    let whole = behaviour.content == .nothing ? 0 : behaviour.tokens ?? 40
    let wanted = max(whole - beginning.tokens, 0)
    tokens = min(wanted, request.tokenLimit ?? wanted)
    toolStart =
      switch behaviour.content {
      case .tool where isChat: 0
      case .textThenTool where isChat: whole / 2
      default: .max
      }
    finishReason =
      switch behaviour.finish {
      case .length: "length"
      case .contentFilter: "content_filter"
      case .natural: tokens < wanted ? "length" : toolStart < .max ? "tool_calls" : "stop"
      }
    promptTokens = request.promptTokens
    seed = beginning.seed
    self.created = created
    self.model = model
    self.provider = provider.name
    self.mayChunk = mayChunk
    self.identifier =
      switch behaviour.identity {
      case .unique: (isChat ? "\"chatcmpl-" : "\"cmpl-") + identifier + "\""
      case .null: "null"
      case .empty: "\"\""
      case .same: "\"sim-same\""
      }
    lineEnd =
      switch behaviour.lineEnd {
      case .lineFeed: "\n"
      case .both: "\r\n"
      case .carriageReturn: "\r"
      }
    eventStart = behaviour.multiline ? "data: {\(lineEnd)data: " : "data: {"
    eventClose = (behaviour.multiline ? "\(lineEnd)data: }" : "}") + lineEnd

    jitter = provider.jitter
    draws = beginning.seed
    interval =
      behaviour.paceMilliseconds.map { Double($0) * 1e6 }
      ?? (provider.tokensPerSecond > 0 ? 1e9 / provider.tokensPerSecond : 0)
    headDue = now + UInt64(behaviour.headMilliseconds) * 1_000_000
    due = headDue
    nextComment = headDue + 100_000_000
    let first = behaviour.stragglerMilliseconds ?? behaviour.firstMilliseconds ?? provider.firstTokenMilliseconds
    due += drawn(Double(first) * 1e6)
    if !isStreamed {
      for _ in 0..<(interval > 0 ? tokens : 0) { due += drawn(interval) }
    }
  }

  /// A time with the provider's jitter.
  private mutating func drawn(_ nanoseconds: Double) -> UInt64 {
    guard jitter > 0 else { return UInt64(nanoseconds) }
    draws &+= 0x9e37_79b9_7f4a_7c15
    let even = Double(SimulatedText.mix(draws) >> 11) * 0x1p-53
    return UInt64(nanoseconds * (1 + jitter * (2 * even - 1)))
  }

  /// Makes the next piece.
  mutating func produce(now: UInt64, into writer: inout AnswerWriter) -> Progress {
    switch phase {
    case .head:
      if now < headDue { return .wait(headDue) }
      if !isStreamed {
        if now < due { return .wait(due) }
        return produceWhole(into: &writer)
      }
      beginHead(&writer)
      phase = .opening
      return .more
    case .opening where !writer.isCut: return open(&writer)
    case .tokens where !writer.isCut: return token(now: now, &writer)
    case .filler(let left) where !writer.isCut: return fill(left, &writer)
    case .finish where !writer.isCut: return finish(&writer)
    case .usage where !writer.isCut: return usage(&writer)
    case .done where !writer.isCut: return done(&writer)
    default: return cut(&writer)
    }
  }

  /// How the answer ends at the byte where it is cut.
  func cut(_ writer: inout AnswerWriter) -> Progress {
    switch behaviour.cut?.kind {
    case .finish, .insideChunk, nil: return .ended(.cut)
    case .reset: return .ended(.reset)
    case .clean:
      writer.endBody()
      return .ended(.cutClean)
    }
  }

  // MARK: - A stream's phases

  private mutating func open(_ writer: inout AnswerWriter) -> Progress {
    if behaviour.byteOrderMark, !put("\u{feff}", &writer) { return cut(&writer) }
    if behaviour.comments, !putComment(&writer) { return cut(&writer) }
    phase = .tokens
    if behaviour.errorAt == 0 { return .more }
    if isChat {
      for choice in 0..<choices {
        startChunk(choice)
        event.append("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}")
        guard endChunk(&writer) else { return cut(&writer) }
      }
    }
    if !echo.isEmpty {
      startChunk(0)
      event.append(isChat ? "\"delta\":{\"content\":\"" : "\"text\":\"")
      event.append(echo)
      event.append(isChat ? "\"}" : "\"")
      guard endChunk(&writer) else { return cut(&writer) }
    }
    return .more
  }

  private mutating func token(now: UInt64, _ writer: inout AnswerWriter) -> Progress {
    if behaviour.stallAt == index { return .silence }
    if behaviour.errorAt == index {
      guard putError(&writer) else { return cut(&writer) }
      writer.endBody()
      return .ended(.complete)
    }
    if behaviour.malformedAt == index, !hasMalformed {
      hasMalformed = true
      return putMalformed(&writer) ? .more : cut(&writer)
    }
    if behaviour.badChunk, index == min(5, tokens) {
      writer.output.append("zz\r\nnot a chunk\r\n")
      return .ended(.cut)
    }
    if index >= tokens {
      phase = .finish
      return .more
    }
    if now < due {
      guard behaviour.comments else { return .wait(due) }
      if now < nextComment { return .wait(min(due, nextComment)) }
      nextComment = now + 100_000_000
      return putComment(&writer) ? .more : cut(&writer)
    }
    if index == 0, behaviour.endless || behaviour.hugeBytes != nil {
      startChunk(0)
      event.append(isChat ? "\"delta\":{\"content\":\"" : "\"text\":\"")
      guard put(&writer) else { return cut(&writer) }
      phase = .filler(behaviour.endless ? .max : behaviour.hugeBytes ?? 0)
      return .more
    }
    for choice in 0..<choices {
      putToken(index, of: choice)
      tokensSent += 1
      guard endChunk(&writer) else {
        tokensSent -= 1
        return cut(&writer)
      }
    }
    index += 1
    if interval > 0 { due += drawn(interval) }
    return .more
  }

  /// The letters of a huge event, and its end.
  private mutating func fill(_ left: Int, _ writer: inout AnswerWriter) -> Progress {
    event.removeAll()
    let piece = min(left, 16 << 10)
    if piece > 0 {
      event.append([UInt8](repeating: UInt8(ascii: "x"), count: piece))
      phase = .filler(behaviour.endless ? left : left - piece)
      return put(&writer) ? .more : cut(&writer)
    }
    event.append(isChat ? "\"}" : "\"")
    if !isStreamed {
      endWhole()
      guard put(&writer) else { return cut(&writer) }
      writer.endBody()
      return .ended(.complete)
    }
    phase = .tokens
    index = 1
    tokensSent += 1
    return endChunk(&writer) ? .more : cut(&writer)
  }

  private mutating func finish(_ writer: inout AnswerWriter) -> Progress {
    phase = .usage
    if behaviour.skipsFinish { return .more }
    for choice in 0..<choices {
      startChunk(choice)
      event.append(isChat ? "\"delta\":{}" : "\"text\":\"\"")
      guard endChunk(&writer, finish: finishReason) else { return cut(&writer) }
    }
    finishSent = true
    return .more
  }

  private mutating func usage(_ writer: inout AnswerWriter) -> Progress {
    phase = .done
    switch behaviour.usage {
    case .none, .onFinish, .everyChunk, .afterDone: return .more
    case .trailing:
      guard putUsageChunk(&writer, isDispatched: false) else { return cut(&writer) }
      writer.endBody()
      return .ended(.complete)
    case .plain where !wantsUsage: return .more
    case .twice:
      guard putUsageChunk(&writer) else { return cut(&writer) }
      fallthrough
    default:
      return putUsageChunk(&writer) ? .more : cut(&writer)
    }
  }

  private mutating func done(_ writer: inout AnswerWriter) -> Progress {
    if !behaviour.skipsDone {
      guard put("data: [DONE]\(lineEnd)\(lineEnd)", &writer) else { return cut(&writer) }
    }
    if behaviour.usage == .afterDone, !putUsageChunk(&writer) { return cut(&writer) }
    if behaviour.cut != nil { return cut(&writer) }
    writer.endBody()
    return .ended(.complete)
  }
}
