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
    for askUsage in [false, true] {
      if let broken = splice(bytes, scan, askUsage) ?? spliceMore(bytes, scan, askUsage, &random) { return broken }
    }
    return continued(bytes, scan, &random)
  }

  /// A request that is gone on with has all its members but for those that must change.
  private static func continued(_ bytes: [UInt8], _ scan: RequestScan, _ random: inout SeededRandom) -> String? {
    let alphabet = Array("a\"\\ é\n")
    let text = (0..<Int.random(in: 0...20, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? "a" }
    let generated = Int.random(in: 0...3, using: &random)
    for continuation in Continuation.allCases {
      guard
        let (body, again) = scan.continued(
          bytes.span, by: Array(String(text).utf8), generated: generated, as: continuation)
      else { continue }
      let changed = ["messages", "prompt", "max_tokens", "max_completion_tokens"]
      let flags = ["continue_final_message", "add_generation_prompt"]
      func kept(_ bytes: [UInt8], _ scan: RequestScan) -> [Member] {
        members(bytes, scan).filter { !(changed + flags).map { Array($0.utf8) }.contains($0.key) }
      }
      if kept(body, again) != kept(bytes, scan) { return "going on with it changes another member" }
      let limit = scan.maxOutputTokens.map { $0 - generated }
      if again.maxOutputTokens != limit || limit ?? 1 < 1 { return "the limit is not what is left" }
      if again.choiceCount != scan.choiceCount { return "going on with it asks for other choices" }
    }
    return nil
  }

  /// One member of the top level: its key as it reads, and its value as it stands.
  private struct Member: Equatable {
    var key: [UInt8]
    var value: [UInt8]
  }

  private static func members(_ bytes: [UInt8], _ scan: RequestScan) -> [Member] {
    bytes.span.withJSONBytes { json in
      scan.members.map { Member(key: Array(JSONUnescaped(json, $0.key)), value: Array(bytes[$0.value])) }
    }
  }

  /// The splice with parameters dropped, another tier and further members: of each member there is what should be.
  private static func spliceMore(
    _ bytes: [UInt8], _ scan: RequestScan, _ askUsage: Bool, _ random: inout SeededRandom
  ) -> String? {
    let dropping = ParameterSet(
      rawValue: UInt32.random(in: 0..<(1 << UInt32(ParameterSet.names.count)), using: &random))
    let tier: StaticString? = Bool.random(using: &random) ? #""flex""# : nil
    let extra = Bool.random(using: &random) ? Array(#""~extra~":{"a":1},"#.utf8) : []
    let model = Array(#""other""#.utf8)
    var output: [UInt8] = []
    scan.splice(
      bytes.span, upstreamModel: model, askUsage: askUsage, dropping: dropping, tier: tier, extraMembers: extra
    ) { output.append($0) }
    let length = scan.spliceLength(
      upstreamModel: model, askUsage: askUsage, dropping: dropping, tier: tier, extraMembers: extra)
    if output.count != length { return "the splice has another length than was said" }
    let again: RequestScan
    switch Self.scan(output, scan.kind, pieces: []) {
    case .success(let result): again = result
    case .failure(let error):
      if error.code == .tooManyKeys || error.code == .duplicateKey && !extra.isEmpty { return nil }
      return "the splice with changes does not scan: \(error.message)"
    }
    var expected: [Member] = []
    for (member, read) in zip(scan.members, members(bytes, scan)) {
      if !member.parameter.isDisjoint(with: dropping) { continue }
      switch member.routed {
      case .models, .provider, .route, .sessionID, .preset: continue
      case .model: expected.append(Member(key: read.key, value: model))
      case .serviceTier where tier != nil: expected.append(Member(key: read.key, value: Array(#""flex""#.utf8)))
      default: expected.append(read)
      }
    }
    var result = members(output, again)
    func takeFirst(_ name: String, _ value: String, _ isDue: Bool) -> Bool {
      guard isDue else { return true }
      guard result.first == Member(key: Array(name.utf8), value: Array(value.utf8)) else { return false }
      result.removeFirst()
      return true
    }
    let hasTier = scan.members.contains { $0.routed == .serviceTier }
    guard takeFirst("~extra~", #"{"a":1}"#, !extra.isEmpty),
      takeFirst(
        "stream_options", #"{"include_usage":true}"#, askUsage && scan.stream && scan.streamOptions == .absent),
      takeFirst("service_tier", #""flex""#, tier != nil && !hasTier)
    else { return "what comes first is not there" }
    if askUsage {
      if again.includeUsage != (scan.includeUsage || scan.stream) { return "the splice with changes asks otherwise" }
      result.removeAll { $0.key == Array("stream_options".utf8) }
      expected.removeAll { $0.key == Array("stream_options".utf8) }
    }
    return result == expected ? nil : "the splice with changes has other members"
  }

  // MARK: controls

  static func controls(_ bytes: [UInt8]) -> String? {
    guard let controls = try? RequestControls.parse(bytes.span) else { return nil }
    for list in [controls.models, controls.order, controls.only, controls.ignore] {
      if list.count > 64 || list.contains("") { return "a list is too long, or names nothing" }
    }
    let price = controls.maxPrice ?? .init()
    for amount in [price.prompt, price.completion, price.request, price.image, price.audio] {
      if let amount, amount < 0 { return "an amount is negative" }
    }
    for bounds in [controls.preferredMaxLatency, controls.preferredMinThroughput] {
      for bound in [bounds?.p50, bounds?.p75, bounds?.p90, bounds?.p99] {
        if let bound, !bound.isFinite || bound < 0 { return "a cutoff is no length" }
      }
    }
    if let id = controls.sessionID, id.isEmpty || id.unicodeScalars.count > 256 { return "a session is too long" }
    return controls.over(RequestControls()) == controls ? nil : "nothing under the controls changes them"
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
      || again.stream != scan.stream
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
      (.keep, nil, scan.usage), (.keep, "0.5", scan.usage), (.set(usage), nil, TokenUsage(input: 3)),
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

  // MARK: quality

  /// `tools` on the first line, `response_format` on the second, chunks of the answer on the others.
  static func quality(_ bytes: [UInt8]) -> String? {
    let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map(Array.init)
    var answer = AnswerCollector()
    for line in lines.dropFirst(2) { answer.add(line.span) }
    let (tools, format) = (lines.first ?? [], lines.count > 1 ? lines[1] : [])
    let quality = AnswerQuality(tools: tools, responseFormat: format, answer: answer)
    let kept = answer.calls.reduce(0) { $0 + $1.name.count + $1.arguments.count }
    if kept > AnswerCollector.limit || answer.calls.count > AnswerCollector.callLimit { return "too much is kept" }
    if answer.texts.reduce(0, { $0 + $1.bytes.count }) > AnswerCollector.limit { return "too much text is kept" }
    if quality.hasBadToolCall, !quality.hasToolCalls { return "a tool call that is not there is bad" }
    if quality.hasBadJSON, !quality.wantsJSON { return "JSON that nobody asked for is bad" }
    if answer.isCut, quality.hasBadToolCall || quality.hasBadJSON { return "a cut answer has a fault" }
    let early = AnswerQuality(tools: tools, responseFormat: format, answer: answer, isComplete: false)
    return early.hasBadToolCall || early.hasBadJSON ? "an answer that ended early has a fault" : nil
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
