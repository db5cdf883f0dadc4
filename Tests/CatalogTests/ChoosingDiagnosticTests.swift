import Testing

@testable import Catalog

@Suite("Mistakes in what routes.yaml says of the choice")
struct ChoosingDiagnosticTests {
  /// What is put into `plainFile`, and the diagnostic that it must lead to.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let text: String
    let diagnostic: String
    var testDescription: String { diagnostic }
  }

  /// Into the endpoint in line 9, behind its price.
  private static func endpoint(_ more: String, _ diagnostic: String) -> Mistake {
    let old = "{ provider: near, price: { input: 1, output: 2 } }"
    return Mistake(
      text: plainFile.replacing(old, with: "{ provider: near, price: { input: 1, output: 2 }, \(more) }"),
      diagnostic: "routes.yaml:9:" + diagnostic)
  }

  /// Into the price in line 9, behind its output.
  private static func price(_ more: String, _ diagnostic: String) -> Mistake {
    Mistake(
      text: plainFile.replacing("output: 2 }", with: "output: 2, \(more) }"), diagnostic: "routes.yaml:9:" + diagnostic)
  }

  /// Under the provider in line 2, in line 4.
  private static func provider(_ more: String, _ diagnostic: String) -> Mistake {
    let url = "    base_url: https://near.example/v1\n"
    return Mistake(
      text: plainFile.replacing(url, with: "\(url)    \(more)\n"), diagnostic: "routes.yaml:4:" + diagnostic)
  }

  /// Behind the route in line 12, from line 14 on.
  private static func route(_ more: String, _ diagnostic: String) -> Mistake {
    Mistake(text: plainFile + "\n    " + more, diagnostic: "routes.yaml:14:" + diagnostic)
  }

  private static func preset(_ more: String, _ diagnostic: String) -> Mistake {
    Mistake(text: plainFile + "\npresets: { p: { \(more) } }", diagnostic: "routes.yaml:14:" + diagnostic)
  }

  static let mistakes: [Mistake] = [
    endpoint("tag: \"a b\"", #"64: error: "a b" is no slug"#),
    endpoint("tier: scale", #"65: error: unknown tier "scale"; write default, flex or priority"#),
    endpoint("tier: priorty", #"65: error: unknown tier "priorty"; did you mean "priority"?"#),
    endpoint("parameters: [tool]", #"72: error: unknown parameter "tool"; did you mean "tools"?"#),
    endpoint("parameters: tools", "71: error: parameters must be a list"),
    endpoint("inputs: [images]", #"68: error: unknown input "images"; did you mean "image"?"#),
    endpoint("inputs: []", "67: error: the list of inputs is empty"),
    endpoint("quantization: fp9", #"73: error: unknown quantization "fp9"; did you mean "fp4"?"#),
    endpoint("region: \"US east\"", #"67: error: "US east" is no region"#),
    endpoint("data: { train: false }", #"67: error: unknown key "train" in data; did you mean "trains"?"#),
    endpoint("data: { trains: no }", #"75: error: trains must be true or false, not "no""#),
    endpoint("cache_life: 5", #"71: error: "5" is not a duration for cache_life"#),
    endpoint(
      "cache_life: 2d", #"71: error: "2d" is not a duration for cache_life; write 500ms, 3s or 2m (at most 24h)"#),
    endpoint(
      "node_life: 366d", #"70: error: "366d" is not a duration for node_life; write 500ms, 3s or 2m (1s to 365d)"#),
    endpoint("quality: 1.1", #"68: error: quality must be a number from 0.0 to 1.0, not "1.1""#),
    endpoint("concurrency: 0", #"72: error: concurrency must be a whole number from 1"#),
    price("request: 1000", #"66: error: the price "1000" for request is not below 1000 (USD each)"#),
    price("image: 0.0000000000001", #"64: error: the price "0.0000000000001" for image has more than 12 decimals"#),
    price("overrides: { input: 1 }", "68: error: overrides must be a list"),
    price("overrides: [{ input: 1 }]", "69: error: this override has no condition"),
    price("overrides: [{ utc: 08:00-09:00 }]", "69: error: this override changes nothing"),
    price("overrides: [{ utc: 8-9, input: 1 }]", #"76: error: "8-9" is no time of day"#),
    price("overrides: [{ utc: 08:00-08:00, input: 1 }]", "76: warning: this time window is empty"),
    price("overrides: [{ min_prompt_tokens: 1k, input: 1 }]", "90: error: min_prompt_tokens must be a whole number"),
    provider("tier: flex", #"5: error: unknown key "tier" in a provider"#),
    provider("concurrency: 3", #"5: error: unknown key "concurrency" in a provider"#),
    provider("discover: yes", #"15: error: discover must be true or false, not "yes""#),
    provider("discover: { format: openai, join: 1 }", #"39: error: join must be true or false"#),
    provider("discover: { format: opnai }", #"25: error: unknown format "opnai"; did you mean "openai"?"#),
    provider(
      "discover: { every: 5s }", #"24: error: "5s" is not a duration for every; write 500ms, 3s or 2m (10s to 24h)"#),
    provider("discover: { format: endpoints }", "15: error: the format endpoints is asked for one model at a time"),
    provider("discover: { models: [a] }", "17: error: models has a meaning only with format: endpoints"),
    route("policy: { balanced: { prise: 1 } }", #"27: error: unknown key "prise" in balanced; did you mean "price"?"#),
    route(
      "policy: { balanced: { price: 0, latency: 0, throughput: 0, availability: 0, quality: 0 } }",
      "25: error: at least one weight must be above 0"),
    route("explore: 21%", #"14: error: explore must be a share from 0% to 20%, such as 1%, not "21%""#),
    route("explore: 0.01", #"14: error: explore must be a share"#),
    route("hold_conversations: 1", #"25: error: hold_conversations must be true or false"#),
    route("limits: { max_prize: {} }", #"15: error: unknown key "max_prize" in limits; did you mean "max_price"?"#),
    route("limits: { only: [] }", "21: error: the list of only is empty"),
    route("limits: { data_collection: never }", #"32: error: unknown data_collection "never"; write allow or deny"#),
    route("limits: { quantizations: [fp17] }", #"31: error: unknown quantization "fp17"; did you mean "fp16"?"#),
    route("limits: { max_price: { prompt: 1 } }", #"28: error: unknown key "prompt" in max_price"#),
    route("limits: { max_price: { input: -1 } }", #"35: error: the price "-1" for input is negative"#),
    route("limits: { regions: [e.u] }", #"25: error: "e.u" is no region"#),
    route("limits: { quality: 2 }", "24: error: quality must be a number from 0.0 to 1.0"),
    route("rules: { when: { tools: true } }", "12: error: rules must be a list"),
    route("rules: [{ policy: price }]", "13: error: this rule has no when"),
    route("rules: [{ when: {}, policy: price }]", "21: error: this when is empty"),
    route("rules: [{ when: { tool: true } }]", #"23: error: unknown key "tool" in when; did you mean "tools"?"#),
    route("rules: [{ when: { prompt_tokens: 5 } }]", "38: error: prompt_tokens must be a map with min or max"),
    route("rules: [{ when: { prompt_tokens: { min: -1 } } }]", "45: error: min must be a whole number from 0"),
    route("rules: [{ when: { key: me } }]", #"28: error: there is no client key "me"; write it under keys first"#),
    route("rules: [{ when: { header: { \"a b\": c } } }]", #"33: error: "a b" is no header name"#),
    route("rules: [{ when: { header: { Authorization: c } } }]", "33: error: the header Authorization holds a secret"),
    route("rules: [{ when: { header: {} } }]", "31: error: header must be a map"),
    route("rules: [{ when: { utc: noon } }]", #"28: error: "noon" is no time of day; write "08:00-18:00", in UTC"#),
    route(
      "rules: [{ when: { tools: true }, models: [stroy] }]", #"47: error: there is no model "stroy"; did you mean"#),
    route("rules: [{ when: { tools: true }, models: [] }]", "46: error: the list of models is empty"),
    route(
      "rules: [{ name: a, when: { tools: true }, policy: price }, { name: a, when: { tools: false }, policy: price }]",
      #"72: error: another rule of this route is called "a" too"#),
    route(
      "rules: [{ when: { tools: true }, policy: { order: [nea] } }]",
      #"56: error: rule "rule 1" of route "chat" has no endpoint or provider "nea"; did you mean "near"?"#),
    preset("model: caht", #"24: error: there is no route or model "caht"; did you mean "chat"?"#),
    preset("models: [stoy]", #"26: error: there is no route or model "stoy"; did you mean "story"?"#),
    preset("session_id: a", #"17: error: unknown key "session_id" in a preset"#),
    preset(
      "provider: { ordre: [near] }", #"29: error: unknown key "ordre" in a preset's provider; did you mean "order"?"#),
    preset("provider: { sort: fastest }", #"35: error: unknown sort "fastest"; write price"#),
    preset(
      "provider: { sort: { by: price, partition: all } }", #"59: error: unknown partition "all"; write model or none"#),
    preset(
      "provider: { preferred_max_latency: { p95: 1 } }", #"54: error: unknown key "p95" in preferred_max_latency"#),
    preset("service_tier: golden", #"31: error: unknown service_tier "golden""#),
    preset("", #"12: error: this preset asks for nothing"#),
  ]

  @Test("Every mistake is named with its place", arguments: mistakes)
  func everyMistakeIsNamed(_ mistake: Mistake) {
    let found = diagnose(mistake.text)
    #expect(found.contains { $0.hasPrefix(mistake.diagnostic) }, "\(found.joined(separator: "\n"))")
    let isError = found.contains { $0.contains(": error: ") }
    #expect(isError == mistake.diagnostic.contains(": error: "))
  }
}
