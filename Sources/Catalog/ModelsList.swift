/// The prepared answers of `GET /v1/models` and `/v1/models/{id}`: OpenAI's model object, with OpenRouter's `name`,
/// `context_length` and `pricing` (decimal strings, USD per token) where they are known.
struct ModelsList {
  let providers: [Provider]
  let models: [Model]
  let endpoints: [Endpoint]

  /// The object of one route; empty when it has no candidate.
  ///
  /// Its price is that of its cheapest candidate, its context the smallest one that any candidate declares: what fits
  /// there fits everywhere.
  func entry(of route: Route) -> [UInt8] {
    guard !route.candidates.isEmpty else { return [] }
    let candidates = route.candidates.map { endpoints[$0] }
    let isSimulated = candidates.allSatisfy { providers[$0.provider].isSimulated }
    let owners = Set(candidates.map(\.provider))
    var json = Array("{\"id\":".utf8)
    JSONText.append(route.name, to: &json)
    let created = route.models.first.map { models[$0].created } ?? 0
    json.append(contentsOf: ",\"object\":\"model\",\"created\":\(created)".utf8)
    json.append(contentsOf: ",\"owned_by\":".utf8)
    if owners.count == 1, let owner = owners.first {
      json.append(contentsOf: providers[owner].displayNameJSON)
    } else {
      json.append(contentsOf: "\"pointsman\"".utf8)
    }
    json.append(contentsOf: ",\"name\":".utf8)
    JSONText.append(isSimulated ? route.name + " (simulated)" : route.name, to: &json)
    if let context = candidates.compactMap(\.context).min() {
      json.append(contentsOf: ",\"context_length\":\(context)".utf8)
    }
    if let price = candidates.compactMap(\.price).min(by: Self.isCheaper) {
      append(price, to: &json)
    }
    json.append(UInt8(ascii: "}"))
    return json
  }

  /// The list of all objects that are not empty.
  static func list(of entries: [[UInt8]]) -> [UInt8] {
    var json = Array("{\"object\":\"list\",\"data\":[".utf8)
    var isFirst = true
    for entry in entries where !entry.isEmpty {
      if !isFirst { json.append(UInt8(ascii: ",")) }
      isFirst = false
      json.append(contentsOf: entry)
    }
    json.append(contentsOf: "]}".utf8)
    return json
  }

  private static func isCheaper(_ one: Price, _ other: Price) -> Bool {
    one.input &+ one.output < other.input &+ other.output
  }

  private func append(_ price: Price, to json: inout [UInt8]) {
    json.append(contentsOf: ",\"pricing\":{\"prompt\":\"\(USD.perToken(price.input))\"".utf8)
    json.append(contentsOf: ",\"completion\":\"\(USD.perToken(price.output))\"".utf8)
    if let cached = price.cachedInput {
      json.append(contentsOf: ",\"input_cache_read\":\"\(USD.perToken(cached))\"".utf8)
    }
    if let written = price.cacheWrite {
      json.append(contentsOf: ",\"input_cache_write\":\"\(USD.perToken(written))\"".utf8)
    }
    json.append(UInt8(ascii: "}"))
  }
}
