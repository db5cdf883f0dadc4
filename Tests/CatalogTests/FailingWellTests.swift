import Testing
import Wire

@testable import Catalog

@Suite("What routes.yaml says about failing well")
struct FailingWellTests {
  private static let digest = String(repeating: "0", count: 64)

  @Test(
    "A route's hedge",
    arguments: [
      ("", nil), ("hedge: false", nil), ("hedge: true", .standard), ("hedge: {}", .standard),
      ("hedge: { after: p95, spend: 5% }", .standard),
      ("hedge: { after: p50 }", HedgeSettings(after: .quantile(0.5), share: 0.05)),
      ("hedge: { after: p75 }", HedgeSettings(after: .quantile(0.75), share: 0.05)),
      ("hedge: { after: p90 }", HedgeSettings(after: .quantile(0.9), share: 0.05)),
      ("hedge: { after: p99, spend: 0% }", HedgeSettings(after: .quantile(0.99), share: 0)),
      ("hedge: { after: 800ms, spend: 50% }", HedgeSettings(after: .fixed(.milliseconds(800)), share: 0.5)),
    ] as [(String, HedgeSettings?)])
  func hedge(_ line: String, _ settings: HedgeSettings?) throws {
    #expect(diagnose(plainFile + "\n    \(line)") == [])
    #expect(try table(plainFile + "\n    \(line)").route("chat")?.hedge == settings)
  }

  @Test("A model's own name hedges and resumes nothing")
  func implied() throws {
    let table = try table(plainFile + "\n    hedge: true\n    resume: true")
    let route = try #require(table.route("story"))
    #expect(route.isImplied && route.hedge == nil && !route.resumes)
  }

  @Test(
    "What a hedge cannot be",
    arguments: [
      ("hedge: 3", #"14:12: error: hedge must be true or false, not "3""#),
      ("hedge: { after: p42 }", #"14:21: error: after must be one of p50, p75, p90, p95, p99, or a time from 1ms"#),
      ("hedge: { after: 0ms }", "14:21: error: after must be"),
      ("hedge: { after: 11m }", "14:21: error: after must be"),
      ("hedge: { spend: 51% }", #"14:21: error: spend must be a share from 0% to 50%, such as 5%, not "51%""#),
      ("hedge: { spend: 5 }", "14:21: error: spend must be a share"),
      ("hedge: { afer: p95 }", #"14:14: error: unknown key "afer" in hedge; did you mean "after"?"#),
    ])
  func wrongHedge(_ line: String, _ diagnostic: String) throws {
    let found = diagnose(plainFile + "\n    \(line)")
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("routes.yaml:" + diagnostic) == true, "\(found)")
  }

  @Test("How an answer is carried on: the endpoint's word goes before its provider's, and none is a word too")
  func continuations() throws {
    let text = """
      providers:
        near: { base_url: "https://near.example/v1", resume: continue_final_message }
        far: { base_url: "https://far.example/v1" }
        toy: { simulated: {}, resume: prefill }
      models:
        story:
          endpoints:
            - { provider: near, price: { input: 1, output: 1 } }
            - { provider: near, model: a, price: { input: 1, output: 1 }, resume: completion }
            - { provider: near, model: b, price: { input: 1, output: 1 }, resume: none }
            - { provider: far, price: { input: 1, output: 1 } }
        toys: { endpoints: [{ provider: toy, price: { input: 1, output: 1 } }] }
      routes:
        chat: { models: [story], resume: true }
      """
    #expect(diagnose(text) == [])
    let table = try table(text)
    #expect(
      table.endpoints.map(\.traits.continuation) == [.continueFinalMessage, .completion, nil, nil, .prefill])
    #expect(table.route("chat")?.resumes == true)
  }

  @Test("The template of a chat belongs to the word that it stands with")
  func chatTemplates() throws {
    let text = """
      providers:
        near: { base_url: "https://near.example/v1", resume: { completion: chatml } }
      models:
        story:
          endpoints:
            - { provider: near, price: { input: 1, output: 1 } }
            - { provider: near, model: a, price: { input: 1, output: 1 }, resume: { completion: llama3 } }
            - { provider: near, model: b, price: { input: 1, output: 1 }, resume: { completion: gemma } }
            - { provider: near, model: c, price: { input: 1, output: 1 }, resume: completion }
            - { provider: near, model: d, price: { input: 1, output: 1 }, resume: prefill }
            - { provider: near, model: e, price: { input: 1, output: 1 }, resume: none }
      routes:
        chat: { models: [story], resume: true }
      """
    #expect(diagnose(text) == [])
    let traits = try table(text).endpoints.map(\.traits)
    #expect(traits.map(\.chatTemplate) == [.chatml, .llama3, .gemma, nil, nil, nil])
    #expect(traits.map(\.continuation) == [.completion, .completion, .completion, .completion, .prefill, nil])
  }

  @Test(
    "What the template of a chat cannot be",
    arguments: [
      ("{ completion: chatlm }", #"error: unknown completion "chatlm"; did you mean "chatml"?"#),
      ("{ prefil: chatml }", #"error: unknown key "prefil" in resume"#),
      ("{ completion: [chatml] }", "error: completion must be a single value, not a list"),
      ("{}", "error: resume is empty; write { completion: TEMPLATE }, where TEMPLATE is chatml, llama3 or gemma"),
    ])
  func wrongChatTemplate(_ value: String, _ diagnostic: String) {
    let found = diagnose(plainFile.replacing("output: 4 }", with: "output: 4 }, resume: \(value)"))
    #expect(found.count == 1)
    #expect(found.first?.contains(diagnostic) == true, "\(found)")
  }

  @Test("A route that resumes while no endpoint says how is told what to write")
  func resumesNowhere() {
    #expect(
      diagnose(plainFile + "\n    resume: true") == [
        #"routes.yaml:14:5: warning: no endpoint of route "chat" says how it carries a cut answer on; write resume: "#
          + "prefill, echoed_prefill, continue_final_message or completion at a provider or an endpoint"
      ])
    #expect(diagnose(plainFile + "\n    resume: false") == [])
    let able = plainFile.replacing("output: 4 }", with: "output: 4 }, resume: prefill")
    #expect(diagnose(able + "\n    resume: true") == [])
    // A rule's own model may be the one that can.
    let ruled = plainFile.replacing(
      "routes:",
      with: "  rest: { endpoints: [{ provider: far, price: { input: 1, output: 1 }, resume: prefill }] }\nroutes:")
    #expect(
      diagnose(ruled + "\n    resume: true\n    rules: [{ when: { tools: true }, models: [rest] }]") == [])
  }

  @Test("Bounds of the listeners and of a key")
  func bounds() throws {
    let text =
      plainFile + """

        keys:
          few: { sha256: \(Self.digest), concurrency: 3 }
          any: { sha256: \(String(repeating: "1", count: 64)) }
        listeners: { limits: { connections: 500, streams: 20, bodies: 64MiB } }
        """
    let bounded = try table(text)
    #expect(bounded.keys.map(\.concurrency) == [3, nil])
    var limits = Listeners.Limits()
    (limits.connections, limits.streams, limits.bodies) = (500, 20, 64 << 20)
    #expect(bounded.listeners.limits == limits)
    #expect(try table(plainFile).listeners.limits == Listeners.Limits())
  }

  @Test(
    "Bounds that cannot be",
    arguments: [
      ("{ connections: 0 }", "14:37: error: connections must be a whole number from 1 to 1000000"),
      ("{ streams: many }", #"14:33: error: streams must be a whole number from 1 to 1000000, not "many""#),
      ("{ bodies: 31MiB }", #"14:32: error: "31MiB" is not a size from that of max_body to 1024GiB"#),
      ("{ bodies: 2000GiB }", "14:32: error: \"2000GiB\" is not a size"),
      ("{ conections: 1 }", #"14:24: error: unknown key "conections" in the listeners' limits; did you mean "#),
    ])
  func wrongBounds(_ limits: String, _ diagnostic: String) {
    let found = diagnose(plainFile + "\nlisteners: { limits: \(limits) }")
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("routes.yaml:" + diagnostic) == true, "\(found)")
  }

  @Test("A key may have at least one completion at once")
  func wrongConcurrency() {
    let found = diagnose(plainFile + "\nkeys: { k: { sha256: \(Self.digest), concurrency: 0 } }")
    #expect(found.count == 1)
    #expect(found.first?.contains("concurrency must be a whole number from 1 to 1000000") == true)
  }
}
