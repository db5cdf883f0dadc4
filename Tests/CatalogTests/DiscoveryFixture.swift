import Foundation
import Testing

@testable import Catalog

/// A list as a provider would send it, from `Fixtures/Discovery`.
func listFixture(_ name: String) throws -> [UInt8] {
  let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "Fixtures/Discovery/\(name).json")
  return Array(try Data(contentsOf: file))
}

let listFixtures = [
  "schema-2.4", "legacy", "openrouter-models", "openrouter-endpoints", "openai", "vllm", "io-net-old", "io-net",
  "hostile",
]

/// 2026-01-01T00:00:00Z.
let newYear: Int64 = 1_767_225_600

/// One reading at the turn of the year 2026, for an hour.
struct Reading {
  let models: [DiscoveredModel]
  let mistakes: [String]

  init(_ body: [UInt8], _ format: DiscoveryFormat = .auto, now: Int64 = newYear) {
    (models, mistakes) = ProviderList.read(body, format: format, now: now, timeToLive: 3_600)
  }

  init(_ json: String, _ format: DiscoveryFormat = .auto) {
    self.init(Array(json.utf8), format)
  }

  init(fixture: String, _ format: DiscoveryFormat = .auto) throws {
    self.init(try listFixture(fixture), format)
  }

  func model(_ id: String) throws -> DiscoveredModel {
    try #require(models.first { $0.id == id }, "\(mistakes)")
  }

  func mentions(_ parts: String...) -> Bool {
    mistakes.contains { line in parts.allSatisfy { line.contains($0) } }
  }
}

/// The price of a discovered model for a prompt and a minute of the day, as an endpoint would have it.
func price(_ model: DiscoveredModel, _ tokens: Int64, _ minute: Int = 0) -> Price? {
  guard let price = model.price else { return nil }
  return Endpoint(
    index: 0, id: "", key: 0, provider: 0, model: 0, upstreamModel: "", upstreamModelJSON: [], price: price,
    context: nil, maxOutput: nil, traits: model.traits
  ).price(promptTokens: tokens, minuteOfDay: minute)
}

/// SplitMix64 (Steele, Lea and Flood): the same numbers in every run.
struct SeededBytes: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
