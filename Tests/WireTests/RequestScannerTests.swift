import Testing

@testable import Wire

/// Scans a text in one piece.
func scan(_ text: String, _ kind: RequestKind = .chatCompletions) throws -> RequestScan {
  try WireProperties.scan(Array(text.utf8), kind, pieces: []).get()
}

/// The error that a text gives, if any.
func refusal(_ text: String, _ kind: RequestKind = .chatCompletions) -> RequestError? {
  refusal(Array(text.utf8), kind)
}

func refusal(_ bytes: [UInt8], _ kind: RequestKind = .chatCompletions) -> RequestError? {
  if case .failure(let error) = WireProperties.scan(bytes, kind, pieces: []) { error } else { nil }
}

/// A chat request with these members behind the ones that must be there.
func chat(_ members: String) -> String {
  #"{"model":"m","messages":[{"role":"user","content":"hi"}]"# + (members.isEmpty ? "" : "," + members) + "}"
}

@Suite struct RequestScannerTests {
  @Test func `a chat request gives what routing needs`() throws {
    let body =
      #" {"messages":[{"role":"user","content":"h\u00e9\n"}], "model" : "meta\/llama","stream":true,"n":3,"#
      + #""max_tokens":100,"tools":[{}],"stream_options":{"x":1,"include_usage":true}} "#
    let scan = try scan(body)
    #expect(scan.modelName == Array("meta/llama".utf8))
    #expect(String(decoding: Array(body.utf8)[scan.modelRange], as: UTF8.self) == #""meta\/llama""#)
    #expect(scan.stream)
    #expect(scan.includeUsage)
    #expect(scan.choiceCount == 3)
    #expect(scan.maxOutputTokens == 100)
    #expect(scan.afterBrace == 2)
    #expect(scan.bodyLength == body.utf8.count)
  }

  @Test func `what is absent or null has its default`() throws {
    for body in [chat(""), chat(#""stream":null,"n":null,"max_tokens":null,"stream_options":null,"tools":[]"#)] {
      let scan = try scan(body)
      #expect(!scan.stream)
      #expect(!scan.includeUsage)
      #expect(scan.choiceCount == 1)
      #expect(scan.maxOutputTokens == nil)
    }
  }

  @Test func `max_completion_tokens comes before max_tokens`() throws {
    #expect(try scan(chat(#""max_completion_tokens":5,"max_tokens":9"#)).maxOutputTokens == 5)
    #expect(try scan(chat(#""max_tokens":9,"max_completion_tokens":5"#)).maxOutputTokens == 5)
    #expect(try scan(chat(#""max_tokens":9223372036854775807"#)).maxOutputTokens == .max)
  }

  @Test func `a model written with escapes is the model`() throws {
    let scan = try scan(#"{"mod\u0065l":"a\u0062\ud834\udd1e","messages":[1]}"#)
    #expect(scan.modelName == Array("ab𝄞".utf8))
  }

  @Test(arguments: [
    (#"{"prompt":"x","model":"m"}"#, 1), (#"{"prompt":"","model":"m"}"#, 1),
    (#"{"prompt":["a","b","c"],"model":"m"}"#, 3),
    (#"{"prompt":[1,2,3],"model":"m"}"#, 1), (#"{"prompt":[[1,2],[3]],"model":"m"}"#, 2),
    (#"{"prompt":["a","b"],"model":"m","n":128}"#, 256),
  ]) func `prompts are counted`(_ body: String, _ choices: Int) throws {
    #expect(try scan(body, .completions).choiceCount == choices)
  }

  @Test(arguments: [
    "5", "null", "{}", "[]", "[[]]", "[1,\"a\"]", "[\"a\",[1]]", "[[1],2]", "[[\"a\"]]", "[-1]", "[1.5]", "[[[1]]]",
    "[null]", "[true]", "true",
  ]) func `a prompt of another type is refused`(_ prompt: String) {
    let error = refusal(#"{"model":"m","prompt":\#(prompt)}"#, .completions)
    #expect(error?.code == .wrongType)
    #expect(error?.param == "prompt")
  }

  @Test func `more than 2048 choices are refused`() {
    let prompts = Array(repeating: #""a""#, count: 17).joined(separator: ",")
    #expect(refusal(#"{"model":"m","prompt":[\#(prompts)],"n":120}"#, .completions) == nil)
    #expect(refusal(#"{"model":"m","prompt":[\#(prompts)],"n":121}"#, .completions)?.code == .outOfRange)
  }

  @Test func `each endpoint asks for its own input`() {
    #expect(refusal(#"{"model":"m","prompt":"x"}"#)?.param == "messages")
    #expect(refusal(#"{"model":"m","messages":[1]}"#, .completions)?.param == "prompt")
    #expect(refusal(#"{"messages":[1]}"#)?.param == "model")
    #expect(refusal(#"{"messages":[1]}"#)?.code == .missing)
    #expect(refusal("{}")?.code == .missing)
  }

  @Test(arguments: [
    ("model", #"{"model":5,"messages":[1]}"#, RequestError.Code.wrongType),
    ("model", #"{"model":"","messages":[1]}"#, .wrongType),
    ("model", #"{"model":null,"messages":[1]}"#, .wrongType),
    ("model", #"{"model":"\#(String(repeating: "x", count: 513))","messages":[1]}"#, .tooLong),
    ("messages", #"{"model":"m","messages":[ ]}"#, .wrongType),
    ("messages", #"{"model":"m","messages":"hi"}"#, .wrongType),
    ("messages", #"{"model":"m","messages":null}"#, .wrongType),
    ("stream", chat(#""stream":"true""#), .wrongType),
    ("stream", chat(#""stream":1"#), .wrongType),
    ("n", chat(#""n":0"#), .outOfRange),
    ("n", chat(#""n":129"#), .outOfRange),
    ("n", chat(#""n":-1"#), .outOfRange),
    ("n", chat(#""n":1.0"#), .wrongType),
    ("n", chat(#""n":1e2"#), .wrongType),
    ("n", chat(#""n":"1""#), .wrongType),
    ("n", chat(#""n":99999999999999999999999"#), .outOfRange),
    ("max_tokens", chat(#""max_tokens":0"#), .outOfRange),
    ("max_tokens", chat(#""max_tokens":9223372036854775808"#), .outOfRange),
    ("max_completion_tokens", chat(#""max_completion_tokens":[]"#), .wrongType),
    ("stream_options", chat(#""stream_options":true"#), .wrongType),
    ("stream_options", chat(#""stream_options":{"a":1,"\u0061":2}"#), .duplicateKey),
    ("stream_options", chat(#""stream_options":{"include_usage":true,"include_usage":false}"#), .duplicateKey),
    ("stream_options.include_usage", chat(#""stream_options":{"include_usage":1}"#), .wrongType),
    ("stream_options.include_usage", chat(#""stream_options":{"Include_Usage":true}"#), .ambiguousKey),
    ("model", chat(#""model":"m""#), .duplicateKey),
    ("model", chat(#""mod\u0065l":"m""#), .duplicateKey),
    ("model", chat(#""Model":"m""#), .ambiguousKey),
    ("model", chat(#""MODE\u004c":"m""#), .ambiguousKey),
    ("stream", chat(#""ſtream":true"#), .ambiguousKey),
    ("stream", chat(#""\u017ftream":true"#), .ambiguousKey),
    ("max_tokens", chat("\"max_to\u{212a}ens\":5"), .ambiguousKey),
    ("service_tier", chat(#""service_Tier":"x""#), .ambiguousKey),
  ]) func `a mistake is named with the member at fault`(_ param: String, _ body: String, _ code: RequestError.Code) {
    let error = refusal(body)
    #expect(error?.param == param)
    #expect(error?.code == code)
  }

  @Test func `any top-level key twice is refused, read unescaped`() {
    #expect(refusal(chat(#""seed":1,"temperature":0,"seed":2"#))?.code == .duplicateKey)
    #expect(refusal(chat(#""é":1,"\u00e9":2"#))?.code == .duplicateKey)
    // Composed and decomposed are different keys, as in every other reader.
    #expect(refusal(chat(#""é":1,"e\u0301":2"#)) == nil)
    #expect(refusal(chat(#""a":{"b":1,"b":2}"#)) == nil)
  }

  @Test func `keys have a number and a length at most`() {
    let keys = (0..<510).map { #""k\#($0)":0"# }.joined(separator: ",")
    #expect(refusal(chat(keys)) == nil)
    #expect(refusal(chat(keys + #","more":0"#))?.code == .tooManyKeys)
    #expect(refusal(chat(#""\#(String(repeating: "k", count: 256))":0"#)) == nil)
    #expect(refusal(chat(#""\#(String(repeating: "k", count: 257))":0"#))?.code == .tooLong)
  }

  @Test func `a million keys are refused at once`() {
    let body = "{" + (0..<1_000_000).map { #""\#($0)":0"# }.joined(separator: ",") + "}"
    #expect(refusal(body)?.code == .tooManyKeys)
  }

  @Test func `100,000 levels are refused and 128 are not`() {
    func nested(_ levels: Int) -> String {
      chat(#""x":"# + String(repeating: "[", count: levels) + String(repeating: "]", count: levels))
    }
    #expect(refusal(nested(127)) == nil)
    #expect(refusal(nested(128))?.code == .depthExceeded)
    #expect(refusal(nested(100_000))?.code == .depthExceeded)
    #expect(refusal(String(repeating: #"{"a":"#, count: 100_000))?.code == .depthExceeded)
  }

  @Test func `messages hold offsets and no text of the prompt`() {
    let error = refusal(#"{"model":"m","messages":[{"content":"secret words" oops}]}"#)
    #expect(error?.code == .invalidJSON)
    #expect(error?.message.contains("byte 51") == true)
    #expect(error?.message.contains("secret") == false)
    #expect(refusal(#"{"secret":1,"secret":2}"#)?.message.contains("secret") == false)
  }

  @Test(arguments: [
    chat(#""stream":true,"n":12,"x":[null,-1.5e+10,{"a":"\ud834\udd1e中é\\"}]"#),
    #"{"mod\u0065l":"x","messages":[ ],"stream_options":{ } } "#,
    #"{"model":"m","prompt":[[1,2],[3]],"Model":1}"#, #"{"model":"m","messages":[1]} trailing"#,
    #"{"model":"m","messages":[1],"a":"\ud800x"}"#, #"{"model":"m","messages":[1],"a":"\ud800\u0041"}"#,
    #"{"model":"m","messages":[01]}"#, #"{"model":"m","messages":[truth]}"#, #"{"model":"m","messages":[1.]}"#,
    #"{"model":"m","messages":["\u12G4"]}"#, #"{"model":"m","messages":[1],"model":"n"}"#, #"{"model":"m","mess"#,
    #"{"model":"m","messages":[-"#, "  [1]", "", "{", "  ",
  ]) func `every two pieces, and single bytes, give the same scan or error`(_ body: String) {
    let bytes = Array(body.utf8)
    for kind in [RequestKind.chatCompletions, .completions] {
      let whole = WireProperties.scan(bytes, kind, pieces: [])
      for cut in 0...bytes.count { #expect(WireProperties.scan(bytes, kind, pieces: [cut]) == whole) }
      #expect(WireProperties.scan(bytes, kind, pieces: Array(0...bytes.count)) == whole)
    }
  }

  @Test func `an error shows as soon as its bytes are there`() {
    var scanner = RequestScanner(kind: .chatCompletions)
    let bytes = Array(#"{"model":"m",,"#.utf8)
    #expect(throws: RequestError.self) { try scanner.scan(bytes.span) }
  }

  @Test func `random edits of a request never give another result in pieces`() {
    var random = SeededRandom(3)
    let original = Array(
      chat(#""stream":true,"stream_options":{"include_usage":false},"n":2,"s":"\ud834\udd1eé","f":-1.5e-3"#).utf8)
    let alphabet = Array(#"{}[]":,\u0e1-.tfn 中"#.utf8)
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[index] = alphabet.randomElement(using: &random) ?? 0
        case 1: bytes.remove(at: index)
        default: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: index)
        }
      }
      let broken = WireProperties.request(bytes)
      #expect(broken == nil, "\(String(decoding: bytes, as: UTF8.self))")
    }
  }
}
