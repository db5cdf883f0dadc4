import Testing
import Wire

@testable import Catalog

@Suite("What routes.yaml declares of an endpoint")
struct EndpointTraitsTests {
  private static let text = """
    providers:
      near:
        base_url: https://near.example/v1
        region: EU-west-1
        data: { trains: false, retains: true }
        quantization: bf16
        cache_life: 1h
      far: { base_url: "https://far.example/v1" }
      toy: { simulated: {}, region: us, data: { trains: false } }
    models:
      story:
        quality: 0.7
        distillable: true
        endpoints:
          - provider: near
            tag: Near/Turbo
            parameters: [temperature, tools, structured_outputs]
            inputs: [text, image, file]
            quantization: nvfp4
            region: us
            data: { retains: false }
            price:
              input: 1
              output: 2
              request: 0.000000000001
              image: 0.004
              overrides:
                - { min_prompt_tokens: 200000, input: 2, cached_input: 0.5 }
                - { utc: 16:30-00:30, output: 1, cache_write: 3 }
            cache_life: 0s
            quality: 0.85
            concurrency: 4
            node_life: 7d
            context: 128000
            max_output: 4096
          - { provider: near, tier: flex, price: { input: 0.5, output: 1 } }
          - { provider: far, price: { input: 1, output: 1 } }
          - { provider: far, tier: priority, tag: far/fast, price: { input: 9, output: 9 } }
      other:
        endpoints:
          - { provider: near, model: story, price: { input: 1, output: 1 } }
          - { provider: toy, price: { input: 1, output: 1 } }
    routes:
      chat: { models: [story], policy: { order: [far/fast, "near:story"] } }
    """

  @Test("Every key arrives, and what an endpoint leaves out it has from its provider")
  func everyKey() throws {
    let table = try table(Self.text)
    #expect(
      table.endpoints.map(\.id) == [
        "near:story", "near:story#flex", "far:story", "far:story#fast", "near:story@other", "toy:other",
      ])
    let traits = table.endpoints[0].traits
    var expected = EndpointTraits()
    expected.tag = "near/turbo"
    expected.parameters = ["temperature", "tools", "structured_outputs"].reduce(into: []) { set, name in
      if let one = ParameterSet(name: name) { set.insert(one) }
    }
    expected.inputs = [.image, .file]
    expected.quantization = .nvfp4
    expected.region = "us"
    expected.trains = false
    expected.retains = false
    expected.requestPrice = 1
    expected.imagePrice = 4_000_000_000
    var (long, night) = (PriceOverride(), PriceOverride())
    (long.minPromptTokens, long.input, long.cachedInput) = (200_000, 2_000_000, 500_000)
    (night.window, night.output, night.cacheWrite) = (.init(from: 990, to: 30), 1_000_000, 3_000_000)
    expected.priceOverrides = [long, night]
    expected.cacheLife = .zero
    expected.quality = 0.85
    expected.concurrency = 4
    expected.nodeLife = .seconds(7 * 86_400)
    #expect(traits == expected)
    #expect((table.endpoints[0].context, table.endpoints[0].maxOutput) == (128_000, 4_096))
    #expect((table.models[0].quality, table.models[0].isDistillable) == (0.7, true))
    #expect((table.models[1].quality, table.models[1].isDistillable) == (nil, nil))

    var inherited = EndpointTraits()
    inherited.region = "eu-west-1"
    (inherited.trains, inherited.retains) = (false, true)
    inherited.quantization = .bf16
    inherited.cacheLife = .seconds(3_600)
    #expect(table.endpoints[4].traits == inherited)
    inherited.tier = .flex
    inherited.tag = "near/flex"
    #expect(table.endpoints[1].traits == inherited)
    #expect(table.endpoints[2].traits == EndpointTraits())
    #expect((table.endpoints[5].traits.region, table.endpoints[5].traits.trains) == ("us", false))
  }

  @Test("Endpoints are found by their key, and a policy may name them by tag or by the id that several share")
  func names() throws {
    let table = try table(Self.text)
    for endpoint in table.endpoints {
      #expect(endpoint.key == FNV1a.hash(endpoint.id))
      #expect(table.endpointPlaces[endpoint.key] == endpoint.index)
    }
    #expect(table.route("chat")?.policy == .order([3, 0, 1, 2]))
  }

  @Test("A slug of the provider does not mean its other tiers")
  func slugs() throws {
    let table = try table(Self.text)
    func meant(_ slug: String) -> [String] {
      table.endpoints.filter { $0.matches(slug: slug, providerName: table.providers[$0.provider].name) }.map(\.id)
    }
    #expect(meant("near") == ["near:story", "near:story@other"])
    #expect(meant("near/flex") == ["near:story#flex"])
    #expect(meant("near/turbo") == ["near:story"])
    #expect(meant("far") == ["far:story"])
    #expect(meant("far/fast") == ["far:story#fast"])
    #expect(meant("fa") == [])
  }

  @Test("Overrides change the parts that they name, later ones over earlier ones")
  func overrides() throws {
    let endpoint = try table(Self.text).endpoints[0]
    let base = Price(input: 1_000_000, output: 2_000_000)
    #expect(endpoint.price(promptTokens: 200_000, minuteOfDay: 60) == base)
    #expect(
      endpoint.price(promptTokens: 200_001, minuteOfDay: 60)
        == Price(input: 2_000_000, cachedInput: 500_000, output: 2_000_000))
    #expect(
      endpoint.price(promptTokens: 200_001, minuteOfDay: 990)
        == Price(input: 2_000_000, cachedInput: 500_000, cacheWrite: 3_000_000, output: 1_000_000))
    #expect(
      endpoint.price(promptTokens: 1, minuteOfDay: 29)
        == Price(input: 1_000_000, cacheWrite: 3_000_000, output: 1_000_000))
    #expect(endpoint.price(promptTokens: 1, minuteOfDay: 30) == base)
  }

  @Test("The list of models shows all of the price of the cheapest endpoint of the usual tier")
  func modelsList() throws {
    let table = try table(Self.text)
    let text = String(decoding: table.modelsListJSON, as: UTF8.self)
    // 0.5 + 1 is cheaper, but flex serves only those who ask for it; 1 + 1 is the cheapest of the others.
    #expect(
      text.contains(
        #""id":"chat","object":"model","created":0,"owned_by":"pointsman","name":"chat","context_length":128000,"#
          + #""pricing":{"prompt":"0.000001","completion":"0.000001"}}"#), "\(text)")
    let dear = try tableWithDear("{ provider: far, price: { input: 1, output: 1 } }")
    let all = String(decoding: dear.modelsListJSON, as: UTF8.self)
    #expect(
      all.contains(
        #""pricing":{"prompt":"0.000001","completion":"0.000002","request":"0.000000000001","image":"0.004","#
          + #""overrides":[{"min_prompt_tokens":200000,"prompt":"0.000002","input_cache_read":"0.0000005"},"#
          + #"{"utc_start":1630,"utc_end":30,"completion":"0.000001","input_cache_write":"0.000003"}]}"#), "\(all)")
  }

  private func tableWithDear(_ endpoint: String) throws -> RouteTable {
    try table(Self.text.replacing(endpoint, with: "{ provider: far, price: { input: 9, output: 1 } }"))
  }

  @Test("Times of day, shares and long durations are read exactly or not at all")
  func quantities() {
    #expect(Quantity.window("08:00-18:00") == .init(from: 480, to: 1_080))
    #expect(Quantity.window("16:30-00:30") == .init(from: 990, to: 30))
    #expect(Quantity.window("00:00-24:00") == .init(from: 0, to: 1_440))
    for text in ["", "8:00-18:00", "08:00", "08:60-09:00", "24:00-01:00", "08:00-24:01", "08.00-09.00", "aa:bb-cc:dd"] {
      #expect(Quantity.window(text) == nil, "\(text)")
    }
    #expect(Quantity.share("1%") == 0.01)
    #expect(Quantity.share("0.5%") == 0.005)
    for text in ["1", "%", "-1%", "1 %", "nan%"] { #expect(Quantity.share(text) == nil, "\(text)") }
    #expect(Quantity.duration("365d", most: .seconds(365 * 86_400)) == .seconds(365 * 86_400))
    #expect(Quantity.duration("366d", most: .seconds(365 * 86_400)) == nil)
    #expect(Quantity.duration("1d") == .seconds(86_400))
    #expect(Quantity.duration("25h") == nil)
    #expect(Quantity.duration("9223372036854775807d", most: .seconds(Int64.max)) == nil)
  }
}
