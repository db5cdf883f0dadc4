import Testing

@testable import Catalog

@Suite("Discovery: prices")
struct DiscoveryPriceTests {
  private func amount(_ text: String, _ unit: ListedPrice.Unit = .usdPerToken) throws(ListedPrice.Refusal) -> Int64 {
    try ListedPrice.amount(.string(text), "prompt", unit)
  }

  @Test(
    "USD per token are read exactly, in every way to write them",
    arguments: [
      ("0.00000013", 130_000), ("1.3e-7", 130_000), ("1.3E-07", 130_000), ("13e-8", 130_000), ("0.13e-6", 130_000),
      ("0", 0), ("-0", 0), ("0.0e5", 0), ("000.000001", 1_000_000), ("0.000000000001", 1), ("1e-12", 1),
      ("0.0000000000005", 1), ("0.00000000000049999999999999999999", 0), ("0.0000001234565", 123_457),
      ("0.1", 100_000_000_000), ("0.3", 300_000_000_000), ("1", 1_000_000_000_000), ("1e-99", 0),
      ("0.000000000000000000000000000000000000000000000000000000000000000000000001e61", 10),
    ] as [(String, Int64)])
  func exact(_ text: String, _ pico: Int64) throws {
    #expect(try amount(text) == pico)
    #expect(try ListedPrice.amount(.number(text), "prompt", .usdPerToken) == pico)
  }

  @Test("USD per million tokens are a millionth of that")
  func perMillion() throws {
    #expect(try amount("0.13", .usdPerMillionTokens) == 130_000)
    #expect(try amount("1000000", .usdPerMillionTokens) == 1_000_000_000_000)
  }

  @Test(
    "What is no price says why",
    arguments: [
      ("NaN", "not a number"), ("nan", "not a number"), ("Infinity", "not a number"), ("", "not a number"),
      ("1.", "not a number"), (".5", "not a number"), ("1e", "not a number"), ("1e+", "not a number"),
      ("1e-7x", "not a number"), ("0x1", "not a number"), ("1,5", "not a number"), (" 1", "not a number"),
      ("+1", "not a number"), ("١", "not a number"), ("--1", "not a number"), ("$1", "not a number"),
      (String(repeating: "0", count: 129), "not a number"), ("-0.1", "negative"), ("-1e-30", "negative"),
      ("1.0000000000005", "above 1 USD"), ("2", "above 1 USD"), ("1e18", "above 1 USD"), ("1e99", "above 1 USD"),
      ("1e100", "exponent"), ("1e-100", "exponent"), ("1e99999999999999999999", "exponent"),
    ])
  func refused(_ text: String, _ reason: String) {
    let refusal = #expect(throws: ListedPrice.Refusal.self) { try amount(text) }
    #expect(refusal?.reason.contains(reason) == true, "\(String(describing: refusal))")
  }

  private func typed(_ prompt: String, more: String = "") -> Reading {
    Reading(
      """
      {"data":[{"schema_version":"2.4","id":"m","name":"M"\(more),
        "input_modalities":[{"type":"text","pricing":[\(prompt)]}],
        "output_modalities":[{"type":"text","pricing":[{"type":"completion","unit":"token","cost_usd":"0.000002"}]}]}]}
      """)
  }

  private func prompt(_ cost: String, _ more: String = "") -> String {
    #"{"type":"prompt","unit":"token","cost_usd":"\#(cost)"\#(more)}"#
  }

  @Test("Conditions on the prompt's length are exact, however they are put together")
  func conditions() throws {
    let overrides = #"""
      ,"overrides":[
        {"when":{"prompt_tokens":{"gte":1000,"lte":2000}},"cost_usd":"0.000002"},
        {"when":{"not":{"prompt_tokens":{"lte":4999}}},"cost_usd":"0.000005"},
        {"when":{"anyOf":[{"prompt_tokens":{"equals":1500}},{"prompt_tokens":{"gte":9000}}]},"cost_usd":"0.000009"},
        {"when":{"allOf":[{"prompt_tokens":{"gte":7000}},{"prompt_tokens":{"lte":6000}}]},"cost_usd":"0.5"}]
      """#
    let reading = typed(prompt("0.000001", overrides))
    let model = try reading.model("m")
    #expect(reading.mistakes == [])
    for (tokens, micro) in [
      (0, 1), (999, 1), (1_000, 2), (1_499, 2), (1_500, 9), (1_501, 2), (2_000, 2), (2_001, 1), (4_999, 1),
      (5_000, 5), (8_999, 5), (9_000, 9), (1_000_000, 9),
    ] as [(Int64, Int64)] {
      #expect(price(model, tokens)?.input == micro * 1_000_000, "\(tokens)")
    }
  }

  @Test(
    "A condition on anything else may hold, so the dearest is used",
    arguments: [
      #"{"images":{"gte":3}}"#, #"{"prompt_tokens":{"gt":5}}"#, #"{"prompt_tokens":{"gte":-1}}"#,
      #"{"prompt_tokens":7}"#,
      #"{"prompt_tokens":{}}"#, #"{"not":{"images":{"min_items":1}}}"#, "{}", "7", "null", #"{"allOf":7}"#,
      #"{"anyOf":[{"images":{"gte":3}},{"prompt_tokens":{"gte":99999999999}}]}"#,
      #"{"prompt_tokens":{"gte":0},"images":{"min_items":1}}"#,
    ])
  func uncertain(_ condition: String) throws {
    for (cost, expected) in [("0.000003", 3_000_000), ("0.0000001", 1_000_000)] as [(String, Int64)] {
      let reading = typed(prompt("0.000001", #","overrides":[{"when":\#(condition),"cost_usd":"\#(cost)"}]"#))
      let model = try reading.model("m")
      #expect(price(model, 0)?.input == expected)
      #expect(price(model, 1 << 40)?.input == expected)
      #expect(reading.mentions("data[0] \"m\"", "dearest"))
    }
  }

  @Test("More conditions than an endpoint can look at are one price, the dearest")
  func tooManyConditions() throws {
    let overrides = (1...100).map { #"{"when":{"prompt_tokens":{"gte":\#($0 * 10)}},"cost_usd":"0.0000\#(10 + $0)"}"# }
    let model = try typed(prompt("0.000001", #","overrides":[\#(overrides.joined(separator: ","))]"#)).model("m")
    #expect(model.traits.priceOverrides.isEmpty)
    #expect(model.price?.input == 99_000_000)
    let windows = (0..<60).map { prompt("0.0000\(10 + $0)", #","utc_start":\#($0),"utc_end":\#(100 + $0)"#) }
    let hourly = try typed(([prompt("0.000001")] + windows).joined(separator: ",")).model("m")
    #expect(hourly.traits.priceOverrides.isEmpty)
    #expect(hourly.price?.input == 69_000_000)
  }

  @Test("A price that is stated twice counts once, with the dearer; one for hours alone counts for all")
  func ambiguous() throws {
    #expect(try typed(prompt("0.000001") + "," + prompt("0.000004")).model("m").price?.input == 4_000_000)
    let reading = typed(prompt("0.000003", #","utc_start":0,"utc_end":1200"#))
    #expect(try reading.model("m").price?.input == 3_000_000)
    #expect(reading.mentions("some hours only"))
  }

  @Test(
    "An override that cannot be read leaves the price unknown, and the model is used without",
    arguments: [
      #","overrides":7"#, #","overrides":[{"when":{"prompt_tokens":{"gte":1}},"cost_usd":"NaN"}]"#,
      #","overrides":[{"when":{"prompt_tokens":{"gte":1}}}]"#, #","utc_start":800"#,
      #","utc_start":800,"utc_end":1660"#,
      #","utc_start":800,"utc_end":800"#, #","utc_start":"8","utc_end":9"#,
    ])
  func unreadable(_ more: String) throws {
    let reading = typed(prompt("0.000001") + "," + prompt("0.000002", more))
    #expect(try reading.model("m").price == nil)
    #expect(reading.mistakes.count == 1)
  }

  @Test("A cache price that cannot be read is that of input")
  func cachePrice() throws {
    let reading = typed(prompt("0.000001") + #",{"type":"cached_prompt","unit":"token","cost_usd":"-1"}"#)
    #expect(try reading.model("m").price == Price(input: 1_000_000, output: 2_000_000))
    #expect(reading.mentions("cached_prompt is negative"))
    let flat = Reading(
      #"""
      {"data":[{"id":"m","pricing":{"prompt":"0.000001","completion":"0.000002","input_cache_read":"0.0000001",
        "overrides":[{"min_prompt_tokens":5,"input_cache_read":"x"}]}}]}
      """#)
    #expect(price(try flat.model("m"), 9) == Price(input: 1_000_000, output: 2_000_000))
  }

  @Test(
    "A discount is taken off exactly, a surcharge put on, and what is neither leaves no price or no discount",
    arguments: [
      ("0.1", 900_000), ("\"0.1\"", 900_000), ("0", 1_000_000), ("-0.5", 1_500_000), ("1e-1", 900_000),
      ("0.3333333", 666_667), ("1", 1_000_000), ("5", 1_000_000), ("null", 1_000_000), ("\"half\"", nil), ("{}", nil),
      ("-11", nil), ("1e99", nil),
    ] as [(String, Int64?)])
  func discount(_ text: String, _ pico: Int64?) throws {
    let reading = typed(prompt("0.000001"), more: #","discount_to_user":\#(text)"#)
    #expect(try reading.model("m").price?.input == pico)
    if pico == nil { #expect(reading.mentions("discount_to_user")) }
  }

  @Test("A price that a surcharge makes higher than any price is refused")
  func surcharge() throws {
    let reading = typed(prompt("0.9"), more: #","discount_to_user":-1"#)
    #expect(try reading.model("m").price == nil)
    #expect(reading.mentions("too high"))
  }

  @Test("Dates are days of the Gregorian calendar in UTC")
  func dates() {
    for (text, seconds) in [
      ("1970-01-01", 0), ("2000-02-29", 951_782_400), ("2026-01-01T00:00:00Z", 1_767_225_600),
      ("2100-03-01", 4_107_542_400), ("1969-12-31", -86_400), ("0000-01-01", -62_167_219_200),
      ("2025-09-01 10:30:59", 1_756_722_600), ("2026-3-1", nil), ("2026-13-01", nil), ("2026-01-32", nil), ("", nil),
      ("2026-01-01T", nil), ("2026-01-01T24:00", nil), ("2026/01/01", nil),
    ] as [(String, Int64?)] {
      #expect(ListedDate.seconds(text) == seconds, "\(text)")
    }
    #expect(ListedDate.seconds("1970-01-02", dayEndsAt: 13) == 133_200)
  }
}
