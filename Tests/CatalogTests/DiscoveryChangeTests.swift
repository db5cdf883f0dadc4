import Testing
import Wire

@testable import Catalog

@Suite("Discovery: what changed in a provider's list")
struct DiscoveryChangeTests {
  private func model(_ id: String, _ change: (inout DiscoveredModel) -> Void = { _ in }) -> DiscoveredModel {
    var model = DiscoveredModel(id: id)
    model.price = Price(input: 130_000, output: 380_000)
    model.traits.priceStaleAt = 100
    change(&model)
    return model
  }

  private func lines(_ old: [DiscoveredModel], _ new: [DiscoveredModel]) -> [String] {
    ProviderListChange.between(old: old, new: new).map(\.description)
  }

  @Test("A list that was read again without a change is no change")
  func same() throws {
    for name in listFixtures {
      let body = try listFixture(name)
      let first = ProviderList.read(body, format: .auto, now: newYear, timeToLive: 60).models
      let second = ProviderList.read(body, format: .auto, now: newYear + 60, timeToLive: 60).models
      #expect(ProviderListChange.between(old: first, new: second) == [])
    }
  }

  @Test("What came, went or changed is one line each, in the order of the new list, what is gone at the end")
  func lines() {
    let old = [model("gone"), model("a"), model("b"), model("c")]
    let new = [
      model("c") {
        $0.price = Price(input: 200_000, cachedInput: 20_000, output: 1_000_000)
        $0.context = 8_192
      },
      model("new") { $0.price = nil },
      model("b") {
        $0.price = nil
        $0.traits.priceStaleAt = nil
      },
      model("a") { $0.traits.priceStaleAt = 200 },
    ]
    #expect(
      lines(old, new) == [
        "\"c\" changed its price from input 0.13, output 0.38 USD per million tokens to input 0.2, output 1, "
          + "cached input 0.02 USD per million tokens",
        "\"c\" changed its context from unknown to 8192 tokens",
        "\"new\" is new: no known price",
        "\"b\" changed its price from input 0.13, output 0.38 USD per million tokens to no known price",
        "\"gone\" is gone",
      ])
  }

  @Test("Changes of prices by length, output, quantization, parameters, place and the rest are told apart")
  func kinds() {
    let old = model("m") {
      $0.maxOutput = 100
      $0.traits.parameters = [.tools, .responseFormat]
    }
    let new = model("m") {
      $0.maxOutput = 200
      $0.traits.parameters = [.tools, .structuredOutputs]
      $0.traits.requestPrice = 1
      $0.traits.quantization = .fp8
      $0.traits.region = "us"
      $0.traits.concurrency = 4
    }
    #expect(
      ProviderListChange.between(old: [old], new: [new]).map(\.kind) == [
        .furtherPrices, .maxOutput(old: 100, new: 200), .quantization(old: .unknown, new: .fp8),
        .parameters(added: ["structured_outputs"], removed: ["response_format"]), .policy, .other,
      ])
    #expect(lines([old], [new]).contains("\"m\" takes structured_outputs now and no longer takes response_format"))
  }

  @Test("Endpoints of one id are told apart by their tags")
  func tags() {
    let near = model("m") { $0.traits.tag = "near" }
    let far = model("m") { $0.traits.tag = "far" }
    #expect(
      lines([near], [far]) == [
        "\"m\" at \"far\" is new: input 0.13, output 0.38 USD per million tokens", "\"m\" at \"near\" is gone",
      ])
  }

  @Test("An id of a provider cannot write lines of its own into the log")
  func hostileID() {
    #expect(lines([], [model("a\nb")]).allSatisfy { !$0.contains("\n") })
  }
}
