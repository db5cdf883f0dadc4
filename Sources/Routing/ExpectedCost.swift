import Catalog
import Wire
#if canImport(Glibc)
  import Glibc
#endif

/// What a request will probably cost at an endpoint in the end. All in pico-USD (10^-12 USD).
///
/// product.md's formula: input that is probably cached there × cache price + the rest × input price + expected output ×
/// output price + what the request itself costs + what would have to be paid again if the endpoint dies before the end;
/// and for a conversation that will go on, what its further turns will cost there, where its cache will then be.
struct ExpectedCost {
  /// Tokens that are expected to be read from the endpoint's cache.
  var cachedTokens = 0.0
  var cachedInput = 0.0
  var input = 0.0
  var output = 0.0
  /// Per request and per image.
  var fixed = 0.0
  /// Probability of dying × what would be paid again.
  var waste = 0.0
  /// The further turns.
  var further = 0.0

  /// This request alone.
  var now: Double { cachedInput + input + output + fixed + waste }
  var total: Double { now + further }

  /// Not reckoned.
  init() {}

  /// - Parameters:
  ///   - held: what the endpoint holds of this conversation.
  @inline(__always)
  init(
    _ question: Question, _ facts: CandidateFacts, _ price: PriceFacts, _ estimate: EndpointEstimate, held: HeldPrefix?
  ) {
    let prompt = Double(question.promptTokens)
    let yield = held.map { min($0.yield, 1) } ?? 0
    if let held, price.cachedInput < price.input { cachedTokens = min(Double(held.tokens), prompt) * yield }
    cachedInput = cachedTokens * price.cachedInput
    // With cache markers what is not read from the cache is written to it.
    input = (prompt - cachedTokens) * (question.hasCacheMarkers ? price.cacheWrite : price.input)
    // Not cut to what the endpoint gives at most: an answer that ends early is no saving.
    let outputTokens = question.expectedOutput
    output = outputTokens * price.output
    fixed = facts.requestPrice + Double(question.mediaCount) * facts.imagePrice
    // A failure before content is not billed; one after it bills the prompt and, on average, half of the answer.
    var risk = estimate.interruptionRate
    if let life = estimate.nodeLife, life > 0 {
      let busy = estimate.firstToken + outputTokens / max(estimate.throughput, 0.1)
      risk = max(risk, 1 - exp(-busy / life))
    }
    waste = risk * (cachedInput + input + output / 2)
    if question.furtherTurns > 0 {
      // Each further turn sends what is there now, and the answers in between, again: cached, as far as it goes.
      let grown = prompt + outputTokens * (1 + question.furtherTurns) / 2
      // A failure before content costs nothing there, but what is then sent elsewhere is cached nowhere; half of such
      // turns find some of it when they come back.
      let stays = (1 - risk) * (1 - min(max(estimate.failureRate, 0), 1) / 2)
      let cacheable = price.cachedInput < price.input ? grown * min(max(estimate.cacheYield, 0), 1) * stays : 0
      let turn = cacheable * price.cachedInput + (grown - cacheable + outputTokens) * price.input
      further = question.furtherTurns * (turn + output + fixed + risk * (turn + output / 2))
    }
  }
}
