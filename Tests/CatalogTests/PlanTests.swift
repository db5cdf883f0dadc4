import Testing
import Wire

@testable import Catalog

@Suite("Policies, limits, rules and presets")
struct PlanTests {
  private static let key = String(repeating: "0a", count: 32)

  private static func chat(_ lines: String, more: String = "") -> String {
    plainFile + "\n" + lines.split(separator: "\n").map { "    \($0)\n" }.joined() + more
  }

  @Test(
    "Every policy is read, with how much it explores by itself",
    arguments: [
      ("default", .default, 0), ("price", .price, 0), ("latency", .latency, 0.01), ("throughput", .throughput, 0.01),
      ("balanced", .balanced(BalancedWeights()), 0.01), ("least_busy", .leastBusy, 0), ("order", .order([0, 1]), 0),
      ("weighted", .weighted([1, 1]), 0),
    ] as [(String, SelectionPolicySpec, Double)])
  func policies(_ name: String, _ spec: SelectionPolicySpec, _ exploration: Double) throws {
    let route = try #require(try table(Self.chat("policy: \(name)")).route("chat"))
    #expect(route.policy == spec)
    #expect(route.plan.limits.exploration == exploration)
    #expect(route.plan.limits.holdsConversations)
    let own = try #require(
      try table(Self.chat("policy: \(name)\nexplore: 20%\nhold_conversations: false")).route("chat"))
    #expect(own.plan.limits.exploration == 0.2)
    #expect(!own.plan.limits.holdsConversations)
  }

  @Test("Weights of balanced that are not named stay as they are")
  func balanced() throws {
    var weights = BalancedWeights()
    (weights.price, weights.quality) = (1, 0)
    let table = try table(Self.chat("policy: { balanced: { price: 1, quality: 0 } }"))
    #expect(table.route("chat")?.policy == .balanced(weights))
  }

  @Test("Every limit arrives, slugs and regions in lower case")
  func limits() throws {
    let table = try table(
      Self.chat(
        """
        limits:
          only: [Near, far]
          ignore: [far]
          allow_fallbacks: false
          require_parameters: true
          data_collection: allow
          zdr: false
          distillable: false
          quantizations: [unknown, fp8]
          max_price: { input: 1.5, output: 2, request: 0.01, image: 0.002 }
          quality: 0.5
        """))
    var expected = RouteLimits()
    expected.controls.only = ["near", "far"]
    expected.controls.ignore = ["far"]
    expected.controls.allowFallbacks = false
    expected.controls.requireParameters = true
    expected.controls.deniesDataCollection = false
    expected.controls.zeroDataRetention = false
    expected.controls.distillableOnly = false
    expected.controls.quantizations = [.unknown, .fp8]
    expected.controls.maxPrice = .init(
      prompt: 1_500_000, completion: 2_000_000, request: 10_000_000_000, image: 2_000_000_000)
    expected.qualityFloor = 0.5
    #expect(table.route("chat")?.plan.limits == expected)
    #expect(table.route("story")?.plan.limits == RouteLimits())
    let strict = try Self.limits("data_collection: deny\nzdr: true\ndistillable: true\nregions: [US, de-west]")
    #expect(strict.controls.deniesDataCollection == true)
    #expect(strict.controls.zeroDataRetention == true)
    #expect(strict.controls.distillableOnly == true)
    #expect(strict.regions == ["us", "de-west"])
  }

  private static func limits(_ lines: String) throws -> RouteLimits {
    let indented = lines.split(separator: "\n").map { "\n  \($0)" }.joined()
    return try #require(try table(chat("limits:" + indented)).route("chat")).plan.limits
  }

  @Test("A rule takes over what it does not name, and explores as its own policy does")
  func rules() throws {
    let table = try table(
      Self.chat(
        """
        policy: { order: [far] }
        limits: { quality: 0.4 }
        hold_conversations: false
        rules:
          - name: long
            when: { prompt_tokens: { min: 1000, max: 9000 }, tools: true, images: false }
            policy: latency
          - when: { structured: true, streamed: false, key: [me, you], tag: batch }
            limits: { ignore: [far] }
          - when: { key: me, tag: [a, b], header: { X-Team: agents, x-b: "1" }, utc: "22:00-06:00" }
            models: [other]
        """, more: "keys: { me: { sha256: \(Self.key) }, you: { sha256: \(Self.key.replacing("0a", with: "0b")) } }\n"
      )
      .replacing(
        "routes:\n", with: "  other: { endpoints: [{ provider: near, price: { input: 1, output: 1 } }] }\nroutes:\n"))
    let route = try #require(table.route("chat"))
    #expect(route.rules.map(\.name) == ["long", "rule 2", "rule 3"])

    var long = RuleCondition()
    (long.minPromptTokens, long.maxPromptTokens, long.hasTools, long.hasImages) = (1_000, 9_000, true, false)
    #expect(route.rules[0].condition == long)
    #expect(route.rules[0].plan.policy == .latency)
    #expect(route.rules[0].plan.limits.exploration == 0.01)
    #expect(route.rules[0].plan.limits.qualityFloor == 0.4)
    #expect(!route.rules[0].plan.limits.holdsConversations)
    #expect(route.rules[0].plan.candidates == route.candidates)

    var second = RuleCondition()
    (second.isStructured, second.isStreamed, second.keys, second.tags) = (true, false, ["me", "you"], ["batch"])
    #expect(route.rules[1].condition == second)
    #expect(route.rules[1].plan.policy == route.policy)
    #expect(route.rules[1].plan.limits.controls.ignore == ["far"])
    #expect(route.rules[1].plan.limits.qualityFloor == nil)

    var third = RuleCondition()
    (third.keys, third.tags, third.window) = (["me"], ["a", "b"], .init(from: 1_320, to: 360))
    third.headers = [.init(name: "x-team", value: "agents"), .init(name: "x-b", value: "1")]
    #expect(route.rules[2].condition == third)
    #expect(route.rules[2].plan.candidates.map { table.endpoints[$0].id } == ["near:other"])
    // The route's order names an endpoint that this rule's models do not have: no mistake.
    #expect(route.rules[2].plan.policy == .order(route.rules[2].plan.candidates))
    #expect(table.ruleHeaders == ["x-b", "x-team"])
  }

  /// A preset and the JSON that asks the same in a request.
  static let presetPairs: [(String, String)] = [
    (
      """
      { model: chat, models: [story], service_tier: fast, provider: { order: [Near], only: [far], ignore: [near],
        allow_fallbacks: false, require_parameters: true, data_collection: deny, zdr: true,
        enforce_distillable_text: true, quantizations: [fp8, int4], sort: { by: latency, partition: none },
        preferred_min_throughput: 50, preferred_max_latency: { p50: 1, p90: 2.5 },
        max_price: { prompt: 1.5, completion: 2, request: 0.01, image: 0.002, audio: 3 } } }
      """,
      """
      {"models":["story"],"service_tier":"fast","provider":{"order":["Near"],"only":["far"],"ignore":["near"],
      "allow_fallbacks":false,"require_parameters":true,"data_collection":"deny","zdr":true,
      "enforce_distillable_text":true,"quantizations":["fp8","int4"],"sort":{"by":"latency","partition":"none"},
      "preferred_min_throughput":50,"preferred_max_latency":{"p50":1,"p90":2.5},
      "max_price":{"prompt":1.5,"completion":2,"request":0.01,"image":0.002,"audio":3}}}
      """
    ),
    ("{ model: chat, provider: { sort: price } }", #"{"provider":{"sort":"price"}}"#),
    (
      "{ model: chat, provider: { data_collection: allow, sort: { partition: model } } }",
      #"{"provider":{"data_collection":"allow","sort":{"partition":"model"}}}"#
    ),
  ]

  @Test("A preset means what the same members mean in a request", arguments: presetPairs)
  func presets(_ yaml: String, _ json: String) throws {
    let table = try table(plainFile + "\npresets:\n  careful: \(yaml.replacing("\n", with: "\n    "))\n")
    let preset = try #require(table.preset(named: "careful"))
    let bytes = Array(json.utf8)
    #expect(preset.controls == (try RequestControls.parse(bytes.span)))
    #expect(preset.model == "chat")
    #expect(table.preset(named: "other") == nil)
  }

  @Test("A preset goes without the models that cannot be used now, and says so")
  func leftOutModels() throws {
    let text =
      plainFile.replacing(
        "providers:\n",
        with: "providers:\n  off: { base_url: \"https://off.example\", optional: true, api_key: \"${NONE}\" }\n"
      )
      .replacing("routes:\n", with: "  gone: { endpoints: [{ provider: off }] }\nroutes:\n")
      + "\npresets: { p: { models: [gone, story] }, q: { model: gone } }\n"
    #expect(try table(text).preset(named: "p")?.controls.models == ["story"])
    let found = diagnose(text).filter { $0.contains("preset") }
    #expect(found.count == 2 && found.allSatisfy { $0.contains("warning: \"gone\" cannot be used now") }, "\(found)")
  }

  @Test("One condition covers another when each of its parts does")
  func coverage() {
    func condition(_ change: (inout RuleCondition) -> Void) -> RuleCondition {
      var condition = RuleCondition()
      change(&condition)
      return condition
    }
    let all = RuleCondition()
    let long = condition { $0.minPromptTokens = 100 }
    let longer = condition { $0.minPromptTokens = 200 }
    let middle = condition { ($0.minPromptTokens, $0.maxPromptTokens) = (150, 160) }
    let day = condition { $0.window = .init(from: 480, to: 1_080) }
    let noon = condition { ($0.window, $0.hasTools) = (.init(from: 700, to: 800), true) }
    let night = condition { $0.window = .init(from: 1_320, to: 360) }
    let midnight = condition { $0.window = .init(from: 1_400, to: 10) }
    let tools = condition { $0.hasTools = true }
    let plain = condition { $0.hasTools = false }
    let me = condition { $0.keys = ["me"] }
    let us = condition { $0.keys = ["me", "you"] }
    let team = condition { $0.headers = [.init(name: "a", value: "1")] }
    let teams = condition { $0.headers = [.init(name: "b", value: "2"), .init(name: "a", value: "1")] }
    let covering: [(RuleCondition, RuleCondition)] = [
      (all, long), (long, longer), (long, middle), (day, noon), (tools, noon), (night, midnight), (us, me),
      (team, teams), (all, team), (night, night), (condition { $0.minPromptTokens = 0 }, all),
    ]
    for (one, other) in covering {
      #expect(one.covers(other), "\(one) \(other)")
      #expect(one == other || !other.covers(one) || other == all, "\(other) \(one)")
    }
    for (one, other) in [(tools, plain), (day, night), (me, team), (middle, longer), (noon, day)] {
      #expect(!one.covers(other) && !other.covers(one) || one == noon, "\(one) \(other)")
      #expect(!one.covers(other))
    }
  }
}
