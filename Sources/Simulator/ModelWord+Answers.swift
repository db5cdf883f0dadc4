// The words that set how long an answer is, what it holds, and how a provider refuses to give one.
extension ModelWord {
  static let pace: [ModelWord] = [
    ModelWord("tokens", "N", "N tokens per choice instead of 40, unless the request's limit is lower") {
      $0.tokens = min($1, 10_000_000)
    },
    ModelWord("pace", "MS", "one token every MS milliseconds, whatever the provider's speed") {
      $0.paceMilliseconds = min($1, 86_400_000)
    },
    ModelWord("slow-first", "MS", "head and role at once, the first token after MS milliseconds") {
      $0.firstMilliseconds = min($1, 86_400_000)
    },
    ModelWord("slow-headers", "MS", "not a byte for MS milliseconds, then the answer") {
      $0.headMilliseconds = min($1, 86_400_000)
    },
    ModelWord("straggler", "MS", "a fault: head and role at once, the first token after MS milliseconds") {
      $0.stragglerMilliseconds = min($1, 86_400_000)
    },
    ModelWord("concurrency", "N", "503 at once above N attempts of this model that run at the same provider") {
      $0.concurrency = $1
    },
    ModelWord("once", nil, "the faults of the other words only in a conversation's first attempt at a provider") {
      b, _ in b.once = true
    },
    ModelWord("percent", "N", "the faults of the other words only in N of 100 attempts, evenly spread") {
      $0.percent = min($1, 100)
    },
    ModelWord("down", "S", "the faults of the other words (or a 503) only in the first S of every down + up seconds") {
      $0.downSeconds = min($1, 1_000_000_000)
    },
    ModelWord("up", "S", "with down: how long it is up behind that; by the wall clock") {
      $0.upSeconds = min($1, 1_000_000_000)
    },
  ]

  static let refusals: [ModelWord] = [
    // `ModelBehaviour` reads every CODE by itself; this one is here to be listed.
    ModelWord("429", nil, "429 without a hint; any CODE from 400 to 599 works: 401 402 403 404 408 500 503 529 …") {
      b, _ in b.refusal = .init(status: 429)
    },
    ModelWord("429-after", "S", "429 with Retry-After: S") { $0.refusal = .init(status: 429, form: .seconds($1)) },
    ModelWord("429-after-ms", "MS", "429 with retry-after-ms: MS") {
      $0.refusal = .init(status: 429, form: .milliseconds($1))
    },
    ModelWord("429-date", nil, "429 with Retry-After as an HTTP date, 2 to 3 s ahead") { b, _ in
      b.refusal = .init(status: 429, form: .date(3))
    },
    ModelWord("429-past", nil, "429 with Retry-After: -1") { b, _ in b.refusal = .init(status: 429, form: .past) },
    ModelWord("429-garbage", nil, "429 with Retry-After: soon") { b, _ in
      b.refusal = .init(status: 429, form: .garbage)
    },
    ModelWord("429-body", nil, "429 with the delay in the body alone: retryDelay 2s") { b, _ in
      b.refusal = .init(status: 429, form: .body(2))
    },
    ModelWord("429-message", "MS", "429 with the delay in the message alone: Please try again in 1.5s") {
      $0.refusal = .init(status: 429, form: .message(milliseconds: $1))
    },
    ModelWord("429-reset", "S", "429 with x-ratelimit-reset-requests: Ss") {
      $0.refusal = .init(status: 429, form: .reset($1))
    },
    ModelWord("429-spend", nil, "429 that is a spend cap: insufficient_quota") { b, _ in
      b.refusal = .init(status: 429, form: .spend)
    },
    ModelWord("400-context", nil, "400 context_length_exceeded") { b, _ in
      b.refusal = .init(status: 400, form: .context)
    },
    ModelWord("no-prefill", nil, "400 to a request whose last message is an assistant's") { b, _ in
      b.refusesPrefill = true
    },
    ModelWord("400-filter", nil, "400 content_filter") { b, _ in b.refusal = .init(status: 400, form: .filter) },
    ModelWord("html-502", nil, "502 with a page of HTML") { b, _ in b.refusal = .init(status: 502, form: .html) },
    ModelWord("redirect", nil, "307 to the same path with another query") { b, _ in
      b.refusal = .init(status: 307, form: .redirect)
    },
  ]

  static let contents: [ModelWord] = [
    ModelWord("empty", nil, "a proper answer without content, 0 completion tokens") { b, _ in b.content = .nothing },
    ModelWord("reasoning-only", nil, "reasoning_content, no content") { b, _ in b.content = .reasoning },
    ModelWord("tool-only", nil, "one tool call, no content") { b, _ in b.content = .tool },
    ModelWord("tools-text", nil, "text in the first half, then one tool call; arguments over several events") { b, _ in
      b.content = .textThenTool
    },
    ModelWord("echo-prefill", nil, "the answer to a prefill begins with that text once more") { b, _ in
      b.echoesPrefill = true
    },
    ModelWord("length", nil, "finish_reason length") { b, _ in b.finish = .length },
    ModelWord("content-filter", nil, "finish_reason content_filter") { b, _ in b.finish = .contentFilter },
    ModelWord("ignore-n", nil, "one choice, whatever n says") { b, _ in b.ignoresN = true },
    ModelWord("json-for-stream", nil, "JSON though a stream was asked for") { b, _ in b.swapsForm = true },
    ModelWord("sse-for-json", nil, "a stream though JSON was asked for") { b, _ in b.swapsForm = true },
    ModelWord("id-null", nil, "id is null") { b, _ in b.identity = .null },
    ModelWord("id-empty", nil, "id is empty") { b, _ in b.identity = .empty },
    ModelWord("id-same", nil, "every answer has the same id") { b, _ in b.identity = .same },
  ]
}
