@testable import Wire

/// What must hold for any bytes at all. The ordinary tests check it on the corpus, the fuzz targets on everything.
/// Each function gives nil, or a sentence that says what was broken.
enum WireProperties {
  /// A number from the bytes, so that one input always gives the same pieces.
  static func seed(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  // MARK: requests

  static func request(_ bytes: [UInt8]) -> String? {
    request(bytes, .chatCompletions) ?? request(bytes, .completions)
  }

  static func request(_ bytes: [UInt8], _ kind: RequestKind) -> String? {
    var random = SeededRandom(seed(bytes))
    let whole = scan(bytes, kind, pieces: [])
    for _ in 0..<3 {
      let cuts = (0..<3).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
      if scan(bytes, kind, pieces: cuts) != whole { return "pieces \(cuts) give another scan than the whole" }
    }
    guard case .success(let scan) = whole else { return nil }
    for askUsage in [false, true] { if let broken = splice(bytes, scan, askUsage) { return broken } }
    return nil
  }

  static func scan(_ bytes: [UInt8], _ kind: RequestKind, pieces: [Int]) -> Result<RequestScan, RequestError> {
    var scanner = RequestScanner(kind: kind)
    do throws(RequestError) {
      for end in pieces { try scanner.scan(bytes.span.extracting(0..<end)) }
      return .success(try scanner.finish(bytes.span))
    } catch {
      return .failure(error)
    }
  }

  private static func splice(_ bytes: [UInt8], _ scan: RequestScan, _ askUsage: Bool) -> String? {
    var output: [UInt8] = []
    scan.splice(bytes.span, upstreamModel: Array(#""other""#.utf8), askUsage: askUsage) { output.append($0) }
    if output.count != scan.spliceLength(upstreamModel: Array(#""other""#.utf8), askUsage: askUsage) {
      return "the splice has another length than was said"
    }
    guard case .success(let again) = Self.scan(output, scan.kind, pieces: []) else {
      // 512 keys and one of our own are one too many for the scanner, not for a provider.
      return askUsage && scan.streamOptions == .absent ? nil : "the splice does not scan"
    }
    if again.modelName != Array("other".utf8) { return "the splice has another model" }
    if again.includeUsage != (scan.includeUsage || askUsage && scan.stream) { return "the splice asks otherwise" }
    if again.choiceCount != scan.choiceCount || again.maxOutputTokens != scan.maxOutputTokens
      || again.stream != scan.stream || again.hasTools != scan.hasTools
    {
      return "the splice says something else"
    }
    return nil
  }

  // MARK: events

  struct Events: Equatable {
    struct Event: Equatable {
      var data: [UInt8]
      var isMultiLine: Bool
    }
    var events: [Event] = []
    var unterminated: [Event] = []
    var comments = 0
    var error: FramingError?
  }

  static func frame(_ bytes: [UInt8], pieces: [Int], eventLimit: Int = 1 << 20) -> Events {
    var framer = EventStreamFramer(eventLimit: eventLimit)
    var result = Events()
    var first = 0
    do throws(FramingError) {
      for end in pieces + [bytes.count] {
        try framer.feed(bytes.span.extracting(first..<end)) { data, isMultiLine in
          result.events.append(.init(data: Array(data), isMultiLine: isMultiLine))
          return true
        }
        first = end
      }
      framer.finish { data, isMultiLine in
        result.unterminated.append(.init(data: Array(data), isMultiLine: isMultiLine))
      }
    } catch {
      result.error = error
    }
    result.comments = framer.comments
    return result
  }

  /// The format read in the plainest way: all bytes at once, line by line.
  static func frameByLines(_ bytes: [UInt8]) -> Events {
    var text = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
    for index in text.indices.dropFirst().reversed() where text[index - 1] == 0x0d && text[index] == 0x0a {
      text.remove(at: index)
    }
    var result = Events()
    var data: [[UInt8]] = []
    func event() -> [Events.Event] {
      let joined = Array(data.joined(separator: [0x0a]))
      return joined.isEmpty ? [] : [.init(data: joined, isMultiLine: data.count > 1)]
    }
    let lines = text.split(omittingEmptySubsequences: false) { $0 == 0x0a || $0 == 0x0d }
    for (place, line) in lines.enumerated() {
      let parts = line.split(separator: 0x3a, maxSplits: 1, omittingEmptySubsequences: false).map(Array.init)
      if line.isEmpty {
        // What follows the last line end is no line when it is empty.
        guard place < lines.count - 1 else { break }
        result.events += event()
        data = []
      } else if line.first == 0x3a {
        result.comments += 1
      } else if parts[0] == Array("data".utf8) {
        let value = parts.count > 1 ? parts[1] : []
        data.append(value.first == 0x20 ? Array(value.dropFirst()) : value)
      }
    }
    result.unterminated = event()
    return result
  }

  static func eventStream(_ bytes: [UInt8]) -> String? {
    if frame(bytes, pieces: []) != frameByLines(bytes) { return "the events are not those of the lines" }
    var random = SeededRandom(seed(bytes))
    for limit in [1 << 20, 24] {
      let whole = frame(bytes, pieces: [], eventLimit: limit)
      if frame(bytes, pieces: Array(0..<bytes.count), eventLimit: limit) != whole { return "byte by byte differs" }
      for _ in 0..<4 {
        let cuts = (0..<2).map { _ in Int.random(in: 0...bytes.count, using: &random) }.sorted()
        if frame(bytes, pieces: cuts, eventLimit: limit) != whole { return "pieces \(cuts) differ" }
      }
    }
    return nil
  }

  // MARK: chunks

  static let identity = ChunkIdentity(id: "gen-1", created: 1, model: "a/b", provider: "P")

  static func rewrite(
    _ bytes: [UInt8], _ scan: ChunkScan, _ usage: UsageEdit, cost: String? = nil, isMultiLine: Bool = false
  ) -> [UInt8] {
    var output: [UInt8] = []
    scan.rewrite(
      bytes.span, identity: identity, usage: usage, cost: cost.map { Array($0.utf8) }, isMultiLine: isMultiLine
    ) { output.append($0) }
    return output
  }

  static func chunk(_ bytes: [UInt8]) -> String? {
    _ = ChunkScan.isDone(bytes.span)
    guard let scan = try? ChunkScan.scan(bytes.span) else { return nil }
    let usage = Array(#"{"prompt_tokens":3}"#.utf8)
    let edits: [(UsageEdit, String?, TokenUsage?)] = [
      (.keep, nil, scan.usage), (.keep, "0.5", scan.usage), (.drop, nil, nil), (.set(usage), nil, TokenUsage(input: 3)),
      (.set(usage), "0.5", TokenUsage(input: 3)),
    ]
    for (edit, cost, expected) in edits {
      for isMultiLine in [false, true] {
        let output = rewrite(bytes, scan, edit, cost: cost, isMultiLine: isMultiLine)
        guard let again = try? ChunkScan.scan(output.span) else { return "the rewritten chunk does not scan" }
        guard let id = again.id, let created = again.created, let model = again.model, let provider = again.provider,
          Array(output[id]) == identity.id, Array(output[created]) == identity.created,
          Array(output[model]) == identity.model, Array(output[provider]) == identity.provider
        else { return "the rewritten chunk has another identity" }
        if again.choiceCount != scan.choiceCount || again.contentChoices != scan.contentChoices
          || again.seen != scan.seen || again.finished != scan.finished || again.finishReason != scan.finishReason
          || (again.error == nil) != (scan.error == nil)
        {
          return "the rewritten chunk says something else"
        }
        if again.usage != expected { return "the rewritten chunk has another usage" }
        if isMultiLine, output.contains(0x0a) { return "a line end stays in the event" }
      }
    }
    return nil
  }

  // MARK: errors

  static func providerError(_ bytes: [UInt8]) -> String? {
    let error = ProviderError.scan(bytes.span)
    for text in [error.message, error.code, error.type].compactMap({ $0 }) {
      if text.unicodeScalars.count > ProviderError.messageLimit { return "a text is too long" }
      if text.isEmpty { return "a text is empty" }
      for scalar in text.unicodeScalars where scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) {
        return "a control character came through"
      }
    }
    return nil
  }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

extension [UInt8] {
  init(_ span: Span<UInt8>) { self = span.withUnsafeBufferPointer { Array($0) } }

  mutating func append(_ span: Span<UInt8>) { span.withUnsafeBufferPointer { append(contentsOf: $0) } }
}
