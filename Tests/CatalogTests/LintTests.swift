import Testing

@testable import Catalog

@Suite("What is doubtful about a choice")
struct LintTests {
  /// `plainFile` with these lines behind its route, from line 14 on, and other endpoints if wanted.
  private func lint(_ lines: String, near: String = "", more: String = "") -> [String] {
    let text = plainFile.replacing("output: 2 } }", with: "output: 2 }\(near.isEmpty ? "" : ", " + near) }")
    return diagnose(text + "\n" + lines.split(separator: "\n").map { "    \($0)\n" }.joined() + more)
  }

  @Test("A rule that can never match")
  func shadowedRules() {
    let found = lint(
      """
      rules:
        - { name: tools, when: { tools: true }, policy: price }
        - { name: fine, when: { images: true }, policy: price }
        - { name: both, when: { tools: true, images: true }, policy: latency }
        - { name: none, when: { prompt_tokens: { min: 9, max: 8 } }, policy: price }
        - { when: { utc: 08:00-08:00 }, policy: price }
        - { name: idle, when: { streamed: true } }
      """)
    #expect(
      found == [
        #"routes.yaml:17:9: warning: rule "both" can never match: "tools" above it takes all that it would; put the narrower one first"#,
        #"routes.yaml:18:9: warning: rule "none" can never match: min is above max"#,
        #"routes.yaml:19:9: warning: rule "rule 5" can never match: its time window is empty"#,
        #"routes.yaml:20:9: warning: rule "idle" changes nothing; write models, policy or limits"#,
      ])
  }

  @Test("A rule without a change is no mistake before others: it keeps requests from them")
  func exceptions() {
    let rules = "rules:\n  - { when: { key: me } }\n  - { when: { tools: true }, policy: price }"
    #expect(lint(rules, more: "keys: { me: { sha256: \(String(repeating: "0", count: 64)) } }\n") == [])
  }

  @Test(
    "A route whose limits exclude each of its endpoints says which by what",
    arguments: [
      ("only: [near]\n  ignore: [near]", "near:story by ignore, far:other/story by only"),
      ("max_price: { input: 0.5 }", "near:story by max_price, far:other/story by max_price"),
      ("max_price: { output: 1.999999 }", "near:story by max_price, far:other/story by max_price"),
      ("quantizations: [fp8]", "near:story by quantizations, far:other/story by quantizations"),
      ("regions: [us]", "near:story by regions, far:other/story by regions"),
      ("data_collection: deny", "near:story by data_collection, far:other/story by data_collection"),
      ("zdr: true", "near:story by zdr, far:other/story by zdr"),
      ("distillable: true", "near:story by distillable, far:other/story by distillable"),
    ])
  func excluded(_ limits: String, _ reasons: String) {
    let found = lint("limits:\n  \(limits)")
    #expect(
      found == [#"routes.yaml:14:5: warning: no endpoint of route "chat" can ever serve: excluded are "# + reasons])
  }

  @Test(
    "Limits that one endpoint passes are no reason to warn",
    arguments: [
      ("only: [near]", ""), ("max_price: { input: 1, output: 2 }", ""), ("quantizations: [fp8]", "quantization: mxfp8"),
      ("regions: [us]", "region: us-east-1"), ("data_collection: deny", "data: { trains: false }"),
      ("zdr: true", "data: { retains: false }"), ("quality: 0.9", "quality: 0.95"), ("quality: 0.9", "quality: 0.1"),
      ("only: [near/turbo]", "tag: near/turbo"),
    ])
  func admitted(_ limits: String, _ near: String) {
    #expect(lint("limits: { \(limits) }", near: near) == [])
  }

  @Test("A price that an override lowers may fit at times")
  func overrideLowers() {
    let text = plainFile.replacing(
      "output: 2 }", with: "output: 2, overrides: [{ utc: 22:00-06:00, input: 0.4, output: 0.4 }] }")
    #expect(diagnose(text + "\n    limits: { max_price: { input: 0.5, output: 0.5 } }") == [])
  }

  @Test("The quality floor looks at the model's score where the endpoint has none")
  func qualityFloor() {
    let text =
      plainFile.replacing("  story:\n", with: "  story:\n    quality: 0.5\n") + "\n    limits: { quality: 0.6 }"
    let reasons = "near:story by quality, far:other/story by quality"
    #expect(
      diagnose(text) == [
        #"routes.yaml:15:5: warning: no endpoint of route "chat" can ever serve: excluded are "# + reasons
      ])
    #expect(diagnose(text.replacing("output: 2 }", with: "output: 2 }, quality: 0.6")) == [])
  }

  @Test("A rule that only prompts too long for every endpoint would follow, or whose limits nobody passes")
  func rulesOfNobody() {
    let text = plainFile.replacing("output: 2 }", with: "output: 2 }, context: 1000")
      .replacing("output: 4 }", with: "output: 4 }, context: 2000")
    func found(_ rule: String) -> [String] { diagnose(text + "\n    rules:\n      - \(rule)") }
    #expect(
      found("{ when: { prompt_tokens: { min: 2001 } }, policy: price }") == [
        #"routes.yaml:15:9: warning: no endpoint of rule "rule 1" of route "chat" can ever serve: "#
          + "excluded are near:story by its context, far:other/story by its context"
      ])
    #expect(found("{ when: { prompt_tokens: { min: 2000 } }, policy: price }") == [])
    #expect(
      found("{ when: { tools: true }, limits: { only: [far], max_price: { input: 1 } } }") == [
        #"routes.yaml:15:34: warning: no endpoint of rule "rule 1" of route "chat" can ever serve: "#
          + "excluded are near:story by only, far:other/story by max_price"
      ])
  }

  @Test("A policy that looks at prices where there are none")
  func unknownPrices() {
    let text = plainFile.replacing("{ provider: near, price: { input: 1, output: 2 } }", with: "{ provider: near }")
    let found = diagnose(text + "\n    policy: price")
    #expect(
      found.last == "routes.yaml:14:13: warning: the policy price knows no price of near:story, so it puts them last")
    #expect(diagnose(text + "\n    policy: latency").count == 1)
  }

  @Test("A slug that means nobody")
  func slugs() {
    #expect(
      lint("limits: { ignore: [faar, near/x] }\n", near: "tag: near/x/y") == [
        #"routes.yaml:14:24: warning: no provider and no tag is called "faar"; did you mean "far"?"#
      ])
    #expect(
      diagnose(plainFile + "\npresets: { p: { provider: { order: [neer] } } }") == [
        #"routes.yaml:14:37: warning: no provider and no tag is called "neer"; did you mean "near"?"#
      ])
  }
}
