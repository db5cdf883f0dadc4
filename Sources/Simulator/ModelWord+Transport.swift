// The words that break HTTP, the connection, or the way bytes are cut into events and writes.
extension ModelWord {
  static let transport: [ModelWord] = [
    ModelWord("silent", nil, "takes the request and never sends a byte") { b, _ in b.silence = .silent },
    ModelWord("half-headers", nil, "stops for ever in the middle of the response head") { b, _ in
      b.silence = .halfHead
    },
    ModelWord("no-headers", nil, "closes (FIN) without a byte") { b, _ in b.silence = .closed },
    ModelWord("reset", nil, "closes (RST) without a byte") { b, _ in b.silence = .reset },
    ModelWord("stale", nil, "answers, keeps the connection, closes it without a byte on its next request") { b, _ in
      b.afterwards = .closeOnNext
    },
    ModelWord("stale-now", nil, "answers as if to keep the connection, then closes it at once") { b, _ in
      b.afterwards = .closeNow
    },
    ModelWord("close-idle", "MS", "closes the connection MS milliseconds after the answer") {
      $0.afterwards = .closeIdle(milliseconds: min($1, 86_400_000))
    },
    ModelWord("slow-read", nil, "reads what is behind the request's first 16 KiB at 1 KiB/s (model named in them)") {
      b, _ in b.slowRead = true
    },
    ModelWord("1xx", "N", "N interim 103 responses first") { $0.informational = min($1, 10_000) },
    ModelWord("101", nil, "101 Switching Protocols first") { b, _ in b.switchesProtocols = true },
    ModelWord("cl-and-te", nil, "Content-Length and Transfer-Encoding together") { b, _ in b.bothLengths = true },
    ModelWord("close-delimited", nil, "no framing: the body ends where the connection does") { b, _ in
      b.closeDelimited = true
    },
    ModelWord("headers", "N", "N more header fields") { $0.extraFields = min($1, 100_000) },
    ModelWord("header-bytes", "N", "one header field with a value of N bytes") { $0.fieldBytes = min($1, 64 << 20) },
    ModelWord("bad-chunk", nil, "a chunk size that is no number, after 5 tokens or for a whole JSON body") { b, _ in
      b.badChunk = true
    },
  ]

  static let streams: [ModelWord] = [
    ModelWord("cut-at", "N", "60 tokens; FIN after N bytes of body, or at its end, without the last chunk") {
      $0.cut = .init(kind: .finish, at: $1)
    },
    ModelWord("cutclean-at", "N", "the same, but the last chunk is sent: the framing ends properly") {
      $0.cut = .init(kind: .clean, at: $1)
    },
    ModelWord("rst-at", "N", "the same with RST") { $0.cut = .init(kind: .reset, at: $1) },
    ModelWord("chunk-cut-at", "N", "60 tokens; FIN after N bytes of body, inside the chunk that was begun") {
      $0.cut = .init(kind: .insideChunk, at: $1)
    },
    ModelWord("stall-at", "N", "nothing more after N tokens, the connection stays") { $0.stallAt = $1 },
    ModelWord("no-done", nil, "no [DONE]") { b, _ in b.skipsDone = true },
    ModelWord("no-finish", nil, "no finish event and no [DONE], the framing ends properly") { b, _ in
      b.skipsFinish = true
      b.skipsDone = true
    },
    ModelWord("malformed-at", "N", "after N tokens one event that is not JSON, then on") { $0.malformedAt = $1 },
    ModelWord("error-first", nil, "200, and an error as the first event") { b, _ in b.errorAt = 0 },
    ModelWord("error-at", "N", "an error event after N tokens, then the end without [DONE]") { $0.errorAt = $1 },
    ModelWord("comments", nil, "a keep-alive comment at once, and every 100 ms while a token is awaited") { b, _ in
      b.comments = true
    },
    ModelWord("huge", "BYTES", "one event with BYTES letters of content, as the first token") {
      $0.hugeBytes = min($1, 1 << 40)
    },
    ModelWord("endless", nil, "an event that never ends, as the first token") { b, _ in b.endless = true },
  ]

  static let framings: [ModelWord] = [
    ModelWord("utf8-split", nil, "characters of 2 to 4 bytes, each cut by a write of its own") { b, _ in
      b.writes = .splitCharacters
    },
    ModelWord("bytewise", nil, "one byte a write") { b, _ in b.writes = .bytewise },
    ModelWord("coalesced", nil, "the whole answer in one write") { b, _ in b.writes = .coalesced },
    ModelWord("crlf", nil, "CR LF ends lines of the stream") { b, _ in b.lineEnd = .both },
    ModelWord("cr", nil, "CR ends lines of the stream") { b, _ in b.lineEnd = .carriageReturn },
    ModelWord("bom", nil, "a byte order mark before the stream") { b, _ in b.byteOrderMark = true },
    ModelWord("multiline", nil, "each event's JSON over three data lines") { b, _ in b.multiline = true },
  ]

  /// All but `none` are sent whether the request asked for usage or not.
  static let usages: [ModelWord] = [
    ModelWord("no-usage", nil, "no usage, asked for or not") { b, _ in b.usage = .none },
    ModelWord("usage-zero", nil, "all counts 0") { b, _ in b.usage = .zero },
    ModelWord("usage-null", nil, "usage is null") { b, _ in b.usage = .null },
    ModelWord("usage-negative", nil, "counts of -5") { b, _ in b.usage = .negative },
    ModelWord("usage-huge", nil, "counts of 2^63") { b, _ in b.usage = .huge },
    ModelWord("usage-string", nil, "counts are the string \"12\"") { b, _ in b.usage = .string },
    ModelWord("usage-float", nil, "counts of 12.5") { b, _ in b.usage = .float },
    ModelWord("usage-exponent", nil, "counts of 1e308") { b, _ in b.usage = .exponent },
    ModelWord("usage-nan", nil, "counts are NaN, which is not JSON") { b, _ in b.usage = .notANumber },
    ModelWord("usage-nested", nil, "counts are objects") { b, _ in b.usage = .nested },
    ModelWord("usage-decoy", nil, "a second, wrong usage inside each choice; the true one where it belongs") { b, _ in
      b.usage = .decoy
    },
    ModelWord("usage-every-chunk", nil, "so far, on every chunk") { b, _ in b.usage = .everyChunk },
    ModelWord("usage-on-finish", nil, "on the finish chunk, no chunk of its own") { b, _ in b.usage = .onFinish },
    ModelWord("usage-after-done", nil, "behind [DONE]") { b, _ in b.usage = .afterDone },
    ModelWord("usage-twice", nil, "in two equal chunks") { b, _ in b.usage = .twice },
    ModelWord("usage-trailing", nil, "in a last event without its blank line, no [DONE]") { b, _ in
      b.usage = .trailing
    },
  ]
}
