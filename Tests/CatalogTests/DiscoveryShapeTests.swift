import Testing
import Wire

@testable import Catalog

@Suite("Discovery: the shapes of a provider's list")
struct DiscoveryShapeTests {
  private func parameters(_ names: String...) -> ParameterSet {
    names.reduce(into: []) { $0.formUnion(ParameterSet(name: $1) ?? []) }
  }

  @Test("OpenRouter's provider schema 2.4 is read in all its parts", arguments: [DiscoveryFormat.auto, .openrouter])
  func schema(_ format: DiscoveryFormat) throws {
    let reading = try Reading(fixture: "schema-2.4", format)
    #expect(reading.models.map(\.id) == ["acme/large", "acme/tiers", "acme/gift", "acme/embed"])
    let large = try reading.model("acme/large")
    #expect(large.aliases == ["acme/large-1", "acme-ai/Large"])
    #expect(large.created == 1_690_502_400)
    #expect(large.context == 1_000_000)
    #expect(large.maxOutput == 128_000)
    #expect(large.price == Price(input: 8_000_000, cachedInput: 1_000_000, cacheWrite: 16_000_000, output: 24_000_000))
    #expect(large.traits.quantization == .fp8)
    #expect(large.traits.inputs == .image)
    #expect(
      large.traits.parameters
        == parameters(
          "temperature", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice", "parallel_tool_calls",
          "structured_outputs", "reasoning", "reasoning_effort", "include_reasoning", "seed"))
    #expect(large.traits.concurrency == 4)
    #expect(large.traits.region == "us-east-1")
    #expect(large.traits.retains == false)
    #expect(large.traits.trains == false)
    #expect(large.traits.requestPrice == 100_000_000)
    #expect(large.traits.imagePrice == 2_000_000_000)
    #expect(large.traits.priceStaleAt == newYear + 3_600)
    #expect(reading.mentions("data[0] \"acme/large\"", "ttl_seconds", "dearest"))
    #expect(reading.mentions("data[3] \"acme/later\"", "is_ready"))
    #expect(reading.mentions("data[4] \"acme/gone\"", "deprecation_date"))
    #expect(reading.mistakes.count == 5, "\(reading.mistakes)")
  }

  @Test("Prices of schema 2.4 change with the prompt and the hour, and a price for an hour wins")
  func schemaPrices() throws {
    let large = try Reading(fixture: "schema-2.4").model("acme/large")
    #expect(price(large, 200_000)?.input == 8_000_000)
    #expect(price(large, 200_001)?.input == 16_000_000)
    #expect(price(large, 0, 8 * 60)?.input == 12_000_000)
    #expect(price(large, 300_000, 16 * 60 + 29)?.input == 12_000_000)
    #expect(price(large, 300_000, 16 * 60 + 30)?.input == 16_000_000)
    #expect(price(large, 300_000)?.output == 24_000_000)
  }

  @Test("What a price cannot say is named, and the dearest is used, less the discount")
  func dearest() throws {
    let reading = try Reading(fixture: "schema-2.4")
    let tiers = try reading.model("acme/tiers")
    #expect(tiers.price == Price(input: 2_250_000, output: 4_500_000))
    #expect(tiers.traits.priceOverrides.isEmpty)
    #expect(reading.mentions("\"acme/tiers\"", "more than prompt tokens"))
    #expect(reading.mentions("\"acme/tiers\"", "priced as reasoning"))
    // Two data centers of one country, one of them without a region.
    #expect(tiers.traits.region == "de")
    #expect(tiers.traits.parameters == nil)
    #expect(tiers.traits.retains == nil)
  }

  @Test("What is free costs nothing, whatever its prices say; what answers without tokens has no output price")
  func free() throws {
    let reading = try Reading(fixture: "schema-2.4")
    #expect(try reading.model("acme/gift").price == Price(input: 0, output: 0))
    #expect(try reading.model("acme/embed").price == Price(input: 20_000, output: 0))
  }

  @Test("The legacy form is read, with its overrides, its features and the list of steps that came before them")
  func legacy() throws {
    let reading = try Reading(fixture: "legacy")
    let coder = try reading.model("acme/coder")
    #expect(coder.aliases == ["acme/coder-1", "acme-ai/Coder"])
    #expect(coder.price == Price(input: 7_200_000, cachedInput: 720_000, output: 21_600_000))
    #expect(price(coder, 200_000)?.input == 7_200_000)
    #expect(
      price(coder, 200_001) == Price(input: 14_400_000, cachedInput: 720_000, output: 32_400_000))
    #expect(coder.traits.imagePrice == 900_000_000)
    #expect(coder.context == 1_000_000)
    #expect(coder.maxOutput == 128_000)
    #expect(coder.traits.inputs == [.image, .file])
    #expect(coder.traits.quantization == .bf16)
    // In two countries: it can be held to neither.
    #expect(coder.traits.region == nil)
    #expect(
      coder.traits.parameters
        == parameters(
          "temperature", "stop", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls",
          "response_format", "reasoning", "reasoning_effort", "include_reasoning"))

    let nights = try reading.model("acme/nights")
    #expect(price(nights, 0, 16 * 60 + 29)?.input == 1_000_000)
    #expect(price(nights, 0, 16 * 60 + 30)?.input == 500_000)
    #expect(price(nights, 0, 29)?.input == 500_000)
    #expect(price(nights, 0, 30)?.input == 1_000_000)

    let steps = try reading.model("acme/steps")
    #expect(price(steps, 31_999) == Price(input: 1_000_000, output: 2_000_000))
    #expect(price(steps, 32_000) == Price(input: 2_000_000, output: 4_000_000))
    // It says nothing of sampling, so nothing of it is missing.
    #expect(steps.traits.parameters?.contains(parameters("temperature", "structured_outputs")) == true)
    #expect(steps.traits.parameters?.contains(.tools) == false)

    let weekday = try reading.model("acme/weekday")
    #expect(weekday.price == Price(input: 3_000_000, output: 2_000_000))
    #expect(price(weekday, 1_001) == weekday.price)
    #expect(reading.mistakes.count == 1 && reading.mentions("\"acme/weekday\"", "dearest"))
  }

  @Test("A model is left out from the very second of its deprecation_date")
  func deprecation() throws {
    let body = try listFixture("legacy")
    let end: Int64 = 1_772_370_000  // 2026-03-01T13:00:00Z
    #expect(Reading(body, now: end - 1).models.count == 4)
    #expect(Reading(body, now: end).models.map(\.id) == ["acme/nights", "acme/steps", "acme/weekday"])
  }

  @Test("OpenRouter's own models are read; a price of -1 is none, and a further page is named")
  func openRouterModels() throws {
    let reading = try Reading(fixture: "openrouter-models")
    let story = try reading.model("acme/story")
    #expect(story.aliases == ["acme/story-2025-08"])
    #expect(story.price == Price(input: 130_000, cachedInput: 30_000, cacheWrite: 260_000, output: 380_000))
    #expect(
      price(story, 200_001, 60) == Price(input: 260_000, cachedInput: 30_000, cacheWrite: 260_000, output: 570_000))
    #expect(price(story, 0, 23 * 60)?.input == 100_000)
    #expect(story.context == 8_192)
    #expect(story.maxOutput == 4_096)
    #expect(story.traits.inputs == .image)
    #expect(story.traits.parameters == parameters("temperature", "tools", "tool_choice"))
    let auto = try reading.model("openrouter/auto")
    #expect(auto.price == nil)
    #expect(auto.traits.priceStaleAt == nil)
    #expect(auto.traits.parameters == [])
    #expect(reading.mentions("data[1] \"openrouter/auto\"", "price prompt is negative: \"-1\""))
    #expect(reading.mentions("further page"))
  }

  @Test(
    "Each endpoint of a model is one of its own, and requests are held there",
    arguments: [
      DiscoveryFormat.auto, .endpoints,
    ])
  func endpoints(_ format: DiscoveryFormat) throws {
    let reading = try Reading(fixture: "openrouter-endpoints", format)
    #expect(reading.models.map(\.id) == ["acme/story", "acme/story"])
    let near = try #require(reading.models.first)
    #expect(near.traits.tag == "near/turbo")
    #expect(
      String(decoding: near.traits.extraMembersJSON, as: UTF8.self)
        == #""provider":{"order":["near/turbo"],"allow_fallbacks":false},"#)
    #expect(near.price == Price(input: 200_000, output: 600_000))
    #expect(near.traits.quantization == .fp4)
    #expect(near.traits.tier == .default)
    #expect(near.traits.inputs == .file)
    #expect(near.traits.parameters == parameters("tools", "tool_choice", "max_tokens", "response_format"))
    #expect(near.context == 131_072)
    #expect(near.maxOutput == 16_384)
    #expect(near.created == 1_692_901_234)
    let far = try #require(reading.models.last)
    #expect(far.traits.tag == "far/priority")
    #expect(far.traits.tier == .priority)
    #expect(reading.mentions("endpoints[1] \"far/priority\"", "status"))
    #expect(reading.mentions("endpoints[2]", "tag"))
  }

  @Test("OpenAI's and vLLM's lists have ids, and vLLM's a context", arguments: [DiscoveryFormat.auto, .openai, .ioNet])
  func plain(_ format: DiscoveryFormat) throws {
    let openai = try Reading(fixture: "openai", format)
    #expect(openai.models.map(\.id) == ["gpt-small", "gpt-large"])
    #expect(openai.models.map(\.created) == [1_686_935_002, 1_686_935_003])
    #expect(openai.mistakes == ["data[2] \"gpt-small\": the same id as an entry before; the first is used"])
    let vllm = try Reading(fixture: "vllm", format)
    #expect(try vllm.model("acme-ai/Story-8B").context == 32_768)
    #expect(vllm.mistakes == [])
  }

  @Test("Both of io.net's lists are read; the unit of the prices is a guess, and that is said")
  func ioNet() throws {
    for format in [DiscoveryFormat.auto, .ioNet] {
      let old = try Reading(fixture: "io-net-old", format)
      #expect(old.models.map(\.context) == [128_000, 64_000])
      let reading = try Reading(fixture: "io-net", format)
      #expect(reading.models.map(\.id) == ["meta-llama/Llama-3.3-70B-Instruct", "acme/vision"])
      let llama = try reading.model("meta-llama/Llama-3.3-70B-Instruct")
      #expect(llama.aliases == ["0b7f0f6e-3d5e-4c60-9d0a-6a9e3a3a7c01"])
      #expect(llama.price == Price(input: 130_000, cachedInput: 500, output: 380_000))
      #expect(llama.context == 128_000)
      #expect(llama.maxOutput == 8_192)
      #expect(llama.created == 1_756_720_800)
      #expect(llama.traits.quantization == .fp8)
      #expect(llama.traits.inputs == [])
      #expect(llama.traits.parameters?.contains(.tools) == false)
      #expect(llama.traits.parameters?.contains(.responseFormat) == true)
      let vision = try reading.model("acme/vision")
      #expect(vision.price == Price(input: 220_000, output: 950_000))
      #expect(vision.traits.inputs == .image)
      #expect(vision.traits.parameters == nil)
      #expect(reading.mentions("price unit guessed: USD per million tokens"))
      #expect(reading.mentions("price unit guessed: USD per token"))
      #expect(reading.mentions("data[2] \"acme/whisper\""))
      #expect(reading.mentions("data[3] \"acme/retired\""))
      #expect(reading.mentions("further page"))
    }
  }

  @Test("A list of another shape than the one that was named is no list")
  func wrongShape() throws {
    #expect(try Reading(fixture: "openai", .endpoints).models.isEmpty)
    #expect(try Reading(fixture: "openrouter-endpoints", .openrouter).mentions("not of the shape openrouter"))
    for text in ["", "{", "[", "{}", "null", "7", #"{"data":null}"#, #"{"data":{}}"#, "<html>", #"{"error":{}}"#] {
      let reading = Reading(text)
      #expect(reading.models.isEmpty && !reading.mistakes.isEmpty, "\(text)")
    }
    #expect(Reading(#"[{"id":"bare"}]"#).models.map(\.id) == ["bare"])
    #expect(Reading(#"{"data":[]}"#).mistakes == [])
  }
}
