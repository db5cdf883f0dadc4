/// What a model's name asks for: length, pace and faults. `ModelWord` lists the words that set each of them.
struct ModelBehaviour: Sendable {
  enum CutKind: Sendable { case finish, clean, reset, insideChunk }
  struct Cut: Sendable {
    var kind: CutKind
    /// Bytes of body that are still sent.
    var at: Int
  }

  /// What a refusal says about when to come back, or another special form of it.
  enum RefusalForm: Sendable {
    case plain, past, garbage, spend, context, filter, html, redirect
    case seconds(Int), milliseconds(Int), date(Int), body(Int), message(milliseconds: Int), reset(Int)
  }
  struct Refusal: Sendable {
    var status: Int
    var form = RefusalForm.plain
  }

  /// No answer at all, in one of four ways.
  enum Silence: Sendable { case silent, halfHead, closed, reset }
  enum Content: Sendable { case text, nothing, reasoning, tool, textThenTool }
  enum Finish: Sendable { case natural, length, contentFilter }
  enum UsageShape: Sendable {
    case plain, none, zero, null, negative, huge, string, float, exponent, notANumber, nested, decoy
    case everyChunk, onFinish, afterDone, twice, trailing
  }
  enum Writes: Sendable { case whole, bytewise, coalesced, splitCharacters }
  enum LineEnd: Sendable { case lineFeed, both, carriageReturn }
  enum Identity: Sendable { case unique, null, empty, same }
  enum Afterwards: Sendable {
    case keepAlive, closeOnNext, closeNow
    case closeIdle(milliseconds: Int)
  }

  /// Of this model, whatever else its name says. `once`, `percent` and `down` leave these as they are.
  var tokens: Int?
  var paceMilliseconds: Int?
  var firstMilliseconds: Int?
  var headMilliseconds = 0
  /// How many attempts may run at a provider.
  var concurrency: Int?

  /// The faults come in the first attempt of a conversation at a provider only.
  var once = false
  /// The faults come in this many attempts out of a hundred.
  var percent = 100
  /// The faults come in the first `down` of every `down` + `up` seconds of the wall clock.
  var downSeconds: Int?
  var upSeconds = 0

  var refusal: Refusal?
  var silence: Silence?
  var cut: Cut?
  var stallAt: Int?
  var stragglerMilliseconds: Int?
  var refusesPrefill = false
  var echoesPrefill = false
  var malformedAt: Int?
  var errorAt: Int?
  var badChunk = false
  var content = Content.text
  var finish = Finish.natural
  var skipsFinish = false
  var skipsDone = false
  var usage = UsageShape.plain
  var comments = false
  /// Letters in the one huge event.
  var hugeBytes: Int?
  var endless = false
  var writes = Writes.whole
  var lineEnd = LineEnd.lineFeed
  var byteOrderMark = false
  var multiline = false
  var identity = Identity.unique
  var ignoresN = false
  var swapsForm = false
  var informational = 0
  var switchesProtocols = false
  var bothLengths = false
  var closeDelimited = false
  var extraFields = 0
  var fieldBytes = 0
  var slowRead = false
  var afterwards = Afterwards.keepAlive

  /// Reads a model's name.
  ///
  /// - Returns: `nil` for a name that is not made of `ModelWord`s, so that a mistyped fault is never a plain success.
  init?(modelName: String) {
    let last = modelName.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    let words = last.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "@" }.map(String.init)
    guard words.first == "sim" else { return nil }
    var at = 1
    while at < words.count {
      guard let (word, length) = ModelWord.longest(words[at...]) else {
        guard words[at].utf8.count == 3, let status = Int(words[at]), (400...599).contains(status) else { return nil }
        refusal = Refusal(status: status)
        at += 1
        continue
      }
      at += length
      var number = 0
      if word.parameter != nil {
        guard at < words.count, let given = Self.number(words[at]) else { return nil }
        number = given
        at += 1
      }
      word.apply(&self, number)
    }
    if cut != nil, tokens == nil { tokens = 60 }
    if content == .tool || content == .textThenTool { tokens = max(tokens ?? 12, content == .tool ? 2 : 4) }
  }

  /// The same length and pace without any fault.
  private init(sound other: ModelBehaviour) {
    tokens = other.tokens
    paceMilliseconds = other.paceMilliseconds
    firstMilliseconds = other.firstMilliseconds
    concurrency = other.concurrency
  }

  var withoutFaults: ModelBehaviour { ModelBehaviour(sound: self) }

  /// The behaviour at a time, where there are outages. An outage without another fault is a 503.
  ///
  /// - Parameter now: milliseconds since 1970.
  func at(_ now: Int64) -> ModelBehaviour {
    guard let downSeconds else { return self }
    let round = (Int64(downSeconds) + Int64(upSeconds)) * 1000
    guard round > 0, now % round < Int64(downSeconds) * 1000 else { return withoutFaults }
    var behaviour = self
    let isFaulty =
      refusal != nil || silence != nil || cut != nil || stallAt != nil || errorAt != nil || malformedAt != nil
      || badChunk || stragglerMilliseconds != nil || headMilliseconds > 0
    if !isFaulty { behaviour.refusal = Refusal(status: 503) }
    return behaviour
  }

  /// A parameter: decimal digits, at most 10^12.
  private static func number(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 12, text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
    return Int(text)
  }
}
