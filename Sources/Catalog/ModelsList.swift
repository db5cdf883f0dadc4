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
    // Other tiers serve only those who ask for them.
    let usual = candidates.filter { $0.traits.tier == .default }
    if let cheapest = Self.cheapest(of: usual.isEmpty ? candidates : usual) { append(cheapest, to: &json) }
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

  private static func cheapest(of endpoints: [Endpoint]) -> (endpoint: Endpoint, price: Price)? {
    endpoints.compactMap { endpoint in endpoint.price.map { (endpoint, $0) } }.min {
      $0.1.input &+ $0.1.output < $1.1.input &+ $1.1.output
    }
  }

  /// As OpenRouter writes it: decimal strings in USD, per token, per request and per image.
  private func append(_ cheapest: (endpoint: Endpoint, price: Price), to json: inout [UInt8]) {
    let (price, traits) = (cheapest.price, cheapest.endpoint.traits)
    let parts = [
      ("prompt", price.input), ("completion", price.output), ("input_cache_read", price.cachedInput),
      ("input_cache_write", price.cacheWrite), ("request", traits.requestPrice == 0 ? nil : traits.requestPrice),
      ("image", traits.imagePrice == 0 ? nil : traits.imagePrice),
    ]
    json.append(contentsOf: ",\"pricing\":{".utf8)
    append(parts, to: &json)
    if !traits.priceOverrides.isEmpty {
      json.append(contentsOf: ",\"overrides\":[".utf8)
      for (place, override) in traits.priceOverrides.enumerated() {
        if place > 0 { json.append(UInt8(ascii: ",")) }
        append(override, to: &json)
      }
      json.append(UInt8(ascii: "]"))
    }
    json.append(UInt8(ascii: "}"))
  }

  private func append(_ override: PriceOverride, to json: inout [UInt8]) {
    var conditions: [String] = []
    if let least = override.minPromptTokens { conditions.append("\"min_prompt_tokens\":\(least)") }
    if let window = override.window {
      // HHMM as a number.
      func clock(_ minute: Int) -> Int { minute / 60 * 100 + minute % 60 }
      conditions.append("\"utc_start\":\(clock(window.from)),\"utc_end\":\(clock(window.to))")
    }
    json.append(contentsOf: "{\(conditions.joined(separator: ","))".utf8)
    let parts = [
      ("prompt", override.input), ("completion", override.output), ("input_cache_read", override.cachedInput),
      ("input_cache_write", override.cacheWrite),
    ]
    append(parts, behind: !conditions.isEmpty, to: &json)
    json.append(UInt8(ascii: "}"))
  }

  private func append(_ parts: [(String, Int64?)], behind isBehind: Bool = false, to json: inout [UInt8]) {
    var isFirst = !isBehind
    for (name, amount) in parts {
      guard let amount else { continue }
      if !isFirst { json.append(UInt8(ascii: ",")) }
      isFirst = false
      json.append(contentsOf: "\"\(name)\":\"\(USD.perToken(amount))\"".utf8)
    }
  }
}
