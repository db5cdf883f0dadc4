import Testing

@testable import Wire

@Suite struct RequestControlsTests {
  private func parse(_ text: String) throws(RequestError) -> RequestControls {
    try RequestControls.parse(Array(text.utf8).span)
  }

  @Test func `a body without controls has none`() throws {
    for members in [
      "", #""models":null,"provider":null,"session_id":null"#, #""models":[],"provider":{}"#,
      #""prompt_cache_key":"""#,
    ] {
      #expect(try scan(chat(members)).controls == nil)
    }
  }

  static let everything =
    #""models":["A/b","c\/d"],"provider":{"order":["OpenAI","deepInfra/Turbo"],"only":["x"],"ignore":["y"],"#
    + #""allow_fallbacks":false,"require_parameters":true,"data_collection":"deny","zdr":true,"#
    + #""enforce_distillable_text":true,"quantizations":["fp8","bf16"],"sort":{"by":"latency","partition":"none"},"#
    + #""preferred_min_throughput":50,"preferred_max_latency":{"p50":1.5,"p99":4},"#
    + #""max_price":{"prompt":"0.15","completion":1.0000005,"request":0.01,"image":"1e-3","audio":null}},"#
    + #""session_id":"s","prompt_cache_key":"k","service_tier":"fast","preset":"@preset/cheap""#

  @Test func `every control is read, from a body and from an object of its own`() throws {
    var expected = RequestControls()
    expected.models = ["A/b", "c/d"]
    expected.order = ["openai", "deepinfra/turbo"]
    expected.only = ["x"]
    expected.ignore = ["y"]
    expected.allowFallbacks = false
    expected.requireParameters = true
    expected.deniesDataCollection = true
    expected.zeroDataRetention = true
    expected.distillableOnly = true
    expected.quantizations = [.fp8, .bf16]
    expected.sort = .latency
    expected.sortsAcrossModels = true
    expected.preferredMinThroughput = .init(p50: 50)
    expected.preferredMaxLatency = .init(p50: 1.5, p99: 4)
    expected.maxPrice = .init(prompt: 150_000, completion: 1_000_001, request: 10_000_000_000, image: 1_000_000_000)
    expected.sessionID = "s"
    expected.serviceTier = .priority
    expected.preset = "cheap"
    #expect(try parse("{\(Self.everything)}") == expected)
    #expect(try scan(chat(Self.everything)).controls == expected)
  }

  @Test func `old and short forms mean the same`() throws {
    #expect(try parse(#"{"route":"sort"}"#).sortsAcrossModels == true)
    #expect(try parse(#"{"route":"fallback"}"#).sortsAcrossModels == false)
    #expect(try parse(#"{"provider":{"sort":"price"}}"#).sort == .price)
    #expect(try parse(#"{"prompt_cache_key":"k"}"#).sessionID == "k")
    #expect(try parse(#" {"provider":{"data_collection":"allow"}} "#).deniesDataCollection == false)
    #expect(try parse(#"{"session_id":"\#(String(repeating: "é", count: 256))"}"#).sessionID?.count == 256)
    #expect(try parse("{}").isEmpty)
  }

  @Test(arguments: [
    ("models", #""models":"a""#), ("models[1]", #""models":["a",""]"#), ("models[0]", #""models":[5]"#),
    ("models", #""models":[\#(Array(repeating: #""a""#, count: 65).joined(separator: ","))]"#),
    ("provider", #""provider":[]"#), ("provider", #""provider":"openai""#),
    ("provider", #""provider":{"zdr":true,"zd\u0072":false}"#),
    ("provider.onyl", #""provider":{"onyl":["x"]}"#), ("provider.only", #""provider":{"only":"x"}"#),
    ("provider.only[0]", #""provider":{"only":[null]}"#), ("provider.order[0]", #""provider":{"order":[""]}"#),
    ("provider.ignore[0]", #""provider":{"ignore":["\#(String(repeating: "x", count: 129))"]}"#),
    ("provider.allow_fallbacks", #""provider":{"allow_fallbacks":"false"}"#),
    ("provider.require_parameters", #""provider":{"require_parameters":1}"#),
    ("provider.data_collection", #""provider":{"data_collection":"none"}"#),
    ("provider.zdr", #""provider":{"zdr":"yes"}"#),
    ("provider.enforce_distillable_text", #""provider":{"enforce_distillable_text":[]}"#),
    ("provider.quantizations[1]", #""provider":{"quantizations":["fp8","fp9"]}"#),
    ("provider.quantizations", #""provider":{"quantizations":"fp8"}"#),
    ("provider.sort", #""provider":{"sort":"cheap"}"#), ("provider.sort.by", #""provider":{"sort":{"by":"cheap"}}"#),
    ("provider.sort.partition", #""provider":{"sort":{"by":"price","partition":true}}"#),
    ("provider.sort.order", #""provider":{"sort":{"order":1}}"#),
    ("provider.preferred_min_throughput", #""provider":{"preferred_min_throughput":-1}"#),
    ("provider.preferred_min_throughput", #""provider":{"preferred_min_throughput":"5"}"#),
    ("provider.preferred_min_throughput.p90", #""provider":{"preferred_min_throughput":{"p90":1e999}}"#),
    ("provider.preferred_max_latency.p95", #""provider":{"preferred_max_latency":{"p95":1}}"#),
    ("provider.max_price", #""provider":{"max_price":5}"#),
    ("provider.max_price.prompt", #""provider":{"max_price":{"prompt":"NaN"}}"#),
    ("provider.max_price.prompt", #""provider":{"max_price":{"prompt":""}}"#),
    ("provider.max_price.prompt", #""provider":{"max_price":{"prompt":"-0.1"}}"#),
    ("provider.max_price.completion", #""provider":{"max_price":{"completion":1e400}}"#),
    ("provider.max_price.request", #""provider":{"max_price":{"request":"1e999999999999999999999"}}"#),
    ("provider.max_price.tokens", #""provider":{"max_price":{"tokens":1}}"#),
    ("route", #""route":"random""#), ("session_id", #""session_id":5"#), ("session_id", #""session_id":"""#),
    ("session_id", #""session_id":"\#(String(repeating: "x", count: 257))""#),
    ("prompt_cache_key", #""prompt_cache_key":{}"#),
    ("service_tier", #""service_tier":"turbo""#), ("service_tier", #""service_tier":true"#),
    ("preset", #""preset":"@preset/""#), ("preset", #""preset":[]"#),
  ]) func `what a control must not be is an error that names it`(_ param: String, _ members: String) {
    #expect(refusal(chat(members))?.param == param)
    #expect(throws: RequestError.self) { try parse("{\(members)}") }
  }

  @Test func `an error says which words there are`() {
    #expect(refusal(chat(#""service_tier":"turbo""#))?.message.contains("`flex`") == true)
    #expect(refusal(chat(#""provider":{"zrd":true}"#))?.message.contains("`zdr`") == true)
  }

  @Test(arguments: ["", "[]", "{", #"{"temperature":1}"#, #"{"models":[]} x"#, #"{"models":[],"models":["a"]}"#])
  func `a header or preset that is no object of controls is refused`(_ text: String) {
    #expect(throws: RequestError.self) { try parse(text) }
  }

  @Test(
    arguments: [
      ("0", 0), ("0.0000005", 1), ("0.0000004999", 0), ("1", 1_000_000), ("12.5e-1", 1_250_000), ("1E3", 1_000_000_000),
      ("0.1", 100_000), ("9223372036854.775807", Int64.max), ("9223372036854.7758075", nil), ("9999999999999", nil),
      ("1e-999999999", 0), ("0e999999999", 0), ("000", nil), ("1.", nil), ("+1", nil), (" 1", nil), ("0x1", nil),
      ("1\(String(repeating: "0", count: 60))e-60", 1_000_000), ("0.\(String(repeating: "0", count: 60))1e60", 100_000),
    ] as [(String, Int64?)]) func `amounts are read exactly`(_ text: String, _ expected: Int64?)
  {
    let price = try? parse(#"{"provider":{"max_price":{"prompt":"\#(text)"}}}"#).maxPrice?.prompt
    #expect(price == expected)
  }
}
