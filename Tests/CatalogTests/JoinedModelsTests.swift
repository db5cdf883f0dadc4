import Testing
import Wire

@testable import Catalog

@Suite("Discovered models and the models of the file")
struct JoinedModelsTests {
  private static let text = """
    providers:
      near: { base_url: "https://near.example/v1", discover: DISCOVER, quantization: fp8 }
      far: { base_url: "https://far.example/v1" }
    models:
      maker/story:
        endpoints:
          - ENDPOINT
          - { provider: far, model: far-story, price: { input: 9, output: 9 } }
    routes:
      chat: { models: [maker/story] }
    """

  private static func text(_ discover: String, _ endpoint: String) -> String {
    text.replacing("DISCOVER", with: discover).replacing(
      "      - ENDPOINT\n", with: endpoint.isEmpty ? "" : "      - \(endpoint)\n")
  }

  private static func listed(_ id: String, aliases: [String] = [], tag: String? = nil) -> DiscoveredModel {
    var model = DiscoveredModel(id: id)
    model.aliases = aliases
    model.price = Price(input: 5_000_000, output: 6_000_000)
    model.context = 1_000
    model.maxOutput = 100
    model.created = 77
    model.traits.tag = tag
    model.traits.quantization = .int4
    model.traits.parameters = .tools
    model.traits.region = "us"
    model.traits.requestPrice = 3
    model.traits.priceStaleAt = 5_000
    return model
  }

  private static func inputs(_ models: [DiscoveredModel], now: Int64? = nil) -> CompileInputs {
    CompileInputs(discovered: ["near": models], unixSeconds: now)
  }

  @Test("An endpoint of the file has from the list what the admin did not write, under the list's name of the model")
  func inherits() throws {
    let table = try table(
      Self.text("true", "{ provider: near, max_output: 50, region: de }"),
      Self.inputs([Self.listed("Near-Story", aliases: ["Maker/Story"])]))
    let endpoint = table.endpoints[0]
    #expect(endpoint.id == "near:Near-Story")
    #expect(endpoint.price == Price(input: 5_000_000, output: 6_000_000))
    #expect((endpoint.context, endpoint.maxOutput) == (1_000, 50))
    #expect(endpoint.traits.parameters == .tools)
    #expect((endpoint.traits.requestPrice, endpoint.traits.priceStaleAt) == (3, 5_000))
    // Written at the endpoint, and at its provider.
    #expect((endpoint.traits.region, endpoint.traits.quantization) == ("de", .fp8))
    // It can still be asked for alone.
    #expect(table.candidates("near/Near-Story") == ["near:Near-Story@near/Near-Story"])
    #expect(table.candidates("chat") == ["near:Near-Story", "far:far-story"])
  }

  @Test("A price that the admin wrote wins with all its parts, and never becomes stale")
  func pinnedPrices() throws {
    let endpoint = "{ provider: near, model: near-story, price: { input: 1, output: 2 } }"
    let pinned = try table(Self.text("true", endpoint), Self.inputs([Self.listed("NEAR-story")]))
    #expect(pinned.endpoints[0].id == "near:near-story")
    #expect(pinned.endpoints[0].price == Price(input: 1_000_000, output: 2_000_000))
    #expect((pinned.endpoints[0].traits.requestPrice, pinned.endpoints[0].traits.priceStaleAt) == (0, nil))
    #expect(pinned.endpoints[0].context == 1_000)
    // The provider's price is for all that is discovered.
    let text = Self.text("true, price: { input: 0, output: 0 }", "{ provider: near, model: near-story }")
    let free = try table(text, Self.inputs([Self.listed("near-story")]))
    #expect(free.endpoints.filter { free.providers[$0.provider].name == "near" }.count == 2)
    for endpoint in free.endpoints where free.providers[endpoint.provider].name == "near" {
      #expect(endpoint.price == Price(input: 0, output: 0))
      #expect((endpoint.traits.requestPrice, endpoint.traits.priceStaleAt) == (0, nil))
    }
  }

  @Test("Only with join does a listed model become a further endpoint of the file's")
  func joins() throws {
    for (name, aliases) in [("MAKER/story", []), ("x", ["maker/STORY"]), ("Far-Story", [])] as [(String, [String])] {
      let list = Self.inputs([Self.listed(name, aliases: aliases), Self.listed("other")])
      let apart = try table(Self.text("true", ""), list)
      #expect(apart.candidates("chat") == ["far:far-story"])
      #expect(apart.candidates("near/\(name)") == ["near:\(name)"])
      let joined = try table(Self.text("{ join: true }", ""), list)
      #expect(joined.candidates("chat") == ["far:far-story", "near:\(name)"])
      #expect(joined.candidates("near/\(name)") == nil)
      #expect(joined.candidates("near/other") == ["near:other"])
      #expect(joined.endpoints[1].price == Price(input: 5_000_000, output: 6_000_000))
      #expect(joined.endpoints[1].traits.quantization == .fp8)
      // An endpoint of that provider is there already: it is the admin's.
      let written = try table(
        Self.text("{ join: true }", "{ provider: near, model: mine, price: { input: 1, output: 1 } }"), list)
      #expect(written.candidates("chat") == ["near:mine", "far:far-story"])
    }
  }

  @Test("What is listed several times under one id, with different tags, is several endpoints of one model")
  func tags() throws {
    var flex = Self.listed("maker/story", tag: "deep/flex")
    flex.traits.tier = .flex
    let list = [
      Self.listed("maker/story", tag: "deep/turbo"), Self.listed("maker/story", tag: "deep/turbo"), flex,
      Self.listed("maker/story", tag: "near/own"),
    ]
    let apart = try table(Self.text("true", ""), Self.inputs(list))
    #expect(
      apart.candidates("near/maker/story")
        == ["near:maker/story#deep/turbo", "near:maker/story#deep/flex", "near:maker/story#own"])
    let joined = try table(Self.text("{ join: true }", ""), Self.inputs(list))
    #expect(joined.candidates("chat")?.count == 4)
    // The same whatever the order of the list.
    let turned = try table(Self.text("{ join: true }", ""), Self.inputs(list.reversed()))
    #expect(Set(turned.endpoints.map(\.key)) == Set(joined.endpoints.map(\.key)))
    // Which of them the file's endpoint means is for its tag or its tier to say.
    func price(_ endpoint: String) throws -> Int? {
      try table(Self.text("true", endpoint), Self.inputs(list)).endpoints[0].context
    }
    #expect(try price("{ provider: near, price: { input: 1, output: 1 } }") == nil)
    #expect(try price("{ provider: near, tag: deep/turbo, price: { input: 1, output: 1 } }") == 1_000)
    #expect(try price("{ provider: near, tier: flex, price: { input: 1, output: 1 } }") == 1_000)
  }

  @Test("A model may have no endpoint of its own where a provider joins; nobody serving it is a warning")
  func servedByLists() throws {
    let text = """
      providers: { near: { base_url: "https://near.example/v1", discover: { join: true } } }
      models:
        maker/story: { quality: 0.5 }
      """
    let served = try table(text, Self.inputs([Self.listed("maker/story")]))
    #expect(served.candidates("maker/story") == ["near:maker/story"])
    #expect(served.models[0].quality == 0.5)
    #expect(diagnose(text, Self.inputs([Self.listed("maker/story")])) == [])
    #expect(
      diagnose(text, Self.inputs([])) == [
        #"routes.yaml:3:3: warning: no endpoint serves the model "maker/story" now: no provider with join: true lists it"#
      ])
    let apart = diagnose(text.replacing("join: true", with: "join: false"), Self.inputs([]))
    #expect(apart.map { $0.prefix { $0 != ";" } } == [#"routes.yaml:3:3: error: model "maker/story" has no endpoints"#])
  }

  @Test("Discovered prices that are missing or stale are warnings of their provider")
  func stalePrices() {
    let text = Self.text("true", "")
    var unpriced = Self.listed("b")
    unpriced.price = nil
    let list = [Self.listed("a"), unpriced]
    #expect(
      diagnose(text, Self.inputs(list, now: 4_999)).map { $0.prefix { $0 != ";" } } == [
        #"routes.yaml:2:3: warning: 1 of 2 discovered models of "near" have no price: their cost stays unknown"#
      ])
    #expect(
      diagnose(text, Self.inputs([Self.listed("a")], now: 5_000)) == [
        #"routes.yaml:2:3: warning: the discovered prices of "near" are stale: its list was not read again in time"#
      ])
  }

  @Test("The revision differs with everything that a list says")
  func revision() throws {
    let text = Self.text("true", "{ provider: near, model: a }")
    var revisions: Set<UInt64> = []
    let changes: [(inout DiscoveredModel) -> Void] = [
      { _ in }, { $0.price = Price(input: 5_000_001, output: 6_000_000) }, { $0.context = 1_001 },
      { $0.maxOutput = 101 }, { $0.created = 78 }, { $0.traits.tag = "x" }, { $0.traits.tier = .flex },
      { $0.traits.parameters = [] }, { $0.traits.inputs = [] }, { $0.traits.region = "de" },
      { $0.traits.trains = true }, { $0.traits.retains = true }, { $0.traits.requestPrice = 4 },
      { $0.traits.imagePrice = 4 }, { $0.traits.priceStaleAt = 5_001 }, { $0.traits.concurrency = 4 },
      { $0.traits.extraMembersJSON = Array("\"a\":1,".utf8) },
      {
        var override = PriceOverride()
        override.window = .init(from: 1, to: 2)
        override.input = 1
        $0.traits.priceOverrides = [override]
      },
    ]
    for change in changes {
      var model = Self.listed("a")
      change(&model)
      revisions.insert(try table(text, Self.inputs([model])).revision)
    }
    #expect(revisions.count == changes.count)
  }

  @Test("How a list is to be read is told to whoever reads it")
  func settings() throws {
    let text = """
      providers:
        a: { base_url: "http://a.example/v1", discover: true }
        b: { base_url: "http://b.example/v1", discover: { format: io-net, every: 1m, join: true } }
        c: { base_url: "http://c.example/v1", discover: { format: endpoints, models: [m/x, m/y] } }
        d: { base_url: "http://d.example/v1", discover: false, optional: true }
      """
    let file = try #require(RoutesFile.parse(text).file)
    let found = file.discoveryTargets(environment: [:]) { _ in "" }.map(\.discovery)
    var (io, endpoints) = (DiscoverySettings(), DiscoverySettings())
    (io.format, io.interval, io.joins) = (.ioNet, .seconds(60), true)
    (endpoints.format, endpoints.models) = (.endpoints, ["m/x", "m/y"])
    #expect(found == [DiscoverySettings(), io, endpoints, nil])
    #expect(DiscoverySettings().interval == .seconds(900))
  }
}
