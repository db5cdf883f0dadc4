/// What of a simulated answer the request holds already: a prefill, or the end of a prompt, that an answer to the same
/// conversation with the same seed begins with. The answer then goes on exactly behind it.
///
/// All is compared as it stands in the JSON: the words of the answers need no escapes.
struct AnswerBeginning: Sendable {
  /// A mark of the conversation, without the beginning of its answer.
  var conversation: UInt64
  var seed: UInt64
  /// Whole tokens that are there already.
  var tokens = 0
  /// Bytes of the next token that are there already.
  var bytes = 0

  init(_ request: SimulatedRequest, _ body: Span<UInt8>, isChat: Bool, isForeign: Bool) {
    conversation = request.conversation(body)
    seed = request.seed ?? conversation
    let text: Range<Int>
    if isChat {
      guard let prefill = request.prefill else { return }
      text = prefill
    } else {
      guard body[request.prompt.lowerBound] == UInt8(ascii: "\"") else { return }
      text = request.prompt.lowerBound + 1..<request.prompt.upperBound - 1
    }
    let first = SimulatedText.token(0, seed: 0, isForeign: false)
    guard text.count >= first.utf8CodeUnitCount else { return }
    for start in text.lowerBound...text.upperBound - first.utf8CodeUnitCount where body[start] == first.utf8Start[0] {
      if !isChat {
        conversation = request.conversation(body, without: start..<text.upperBound)
        seed = request.seed ?? conversation
      }
      if matches(body, start..<text.upperBound, isForeign) { return }
    }
    (tokens, bytes) = (0, 0)
    conversation = request.conversation(body)
    seed = request.seed ?? conversation
  }

  /// Whether a text is how the answer begins, its first token at least; notes how far it goes.
  private mutating func matches(_ body: Span<UInt8>, _ text: Range<Int>, _ isForeign: Bool) -> Bool {
    var at = text.lowerBound
    (tokens, bytes) = (0, 0)
    while at < text.upperBound {
      let token = SimulatedText.token(tokens, seed: seed, isForeign: isForeign)
      let count = min(token.utf8CodeUnitCount, text.upperBound - at)
      for offset in 0..<count where body[at + offset] != token.utf8Start[offset] { return false }
      at += count
      if count == token.utf8CodeUnitCount { tokens += 1 } else { bytes = count }
    }
    return tokens > 0
  }
}
