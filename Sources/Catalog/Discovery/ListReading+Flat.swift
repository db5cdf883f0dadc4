import Wire

/// Entries without types: OpenRouter's legacy provider form, OpenRouter's own `/models` and `/endpoints`, and the lists
/// of OpenAI and vLLM, which have less of the same.
extension ListReading {
  mutating func flat(_ value: JSONValue) throws(Refusal) -> DiscoveredModel {
    var model = try begin(value["id"])
    try checkOffered(value)
    addAliases(
      [value["openrouter"]?["slug"], value["canonical_slug"], value["hugging_face_id"]], to: &model)
    readFlat(value, architecture: value["architecture"], &model)
    return model
  }

  /// What OpenAI and vLLM have: the id, and vLLM's `max_model_len`.
  mutating func plain(_ value: JSONValue) throws(Refusal) -> DiscoveredModel {
    var model = try begin(value["id"])
    model.created = created(value["created"])
    model.context = tokens(value["max_model_len"], "max_model_len")
    return model
  }

  /// One endpoint of OpenRouter's list of a model's endpoints. All have the model's id; requests to each are held there
  /// by `provider.order`.
  mutating func endpoint(
    _ value: JSONValue, id: JSONValue?, created: JSONValue?, architecture: JSONValue?
  ) throws(Refusal) -> DiscoveredModel {
    guard case .object = value else { throw Refusal(reason: "not an object") }
    var model = try begin(id ?? value["model_id"])
    guard let tag = value["tag"]?.text, Self.isUsableID(tag) else { throw Refusal(reason: "there is no usable tag") }
    entry.id = tag
    try checkOffered(value)
    readFlat(value, architecture: architecture, &model)
    model.created = self.created(created)
    model.traits.tag = tag.lowercased()
    let variant = tag.lowercased().split(separator: "/").dropFirst().last
    if variant == "flex" || variant == "priority" {
      model.traits.tier = variant == "flex" ? .flex : .priority
    }
    var members = Array("\"provider\":{\"order\":[".utf8)
    JSONText.append(tag, to: &members)
    members.append(contentsOf: "],\"allow_fallbacks\":false},".utf8)
    model.traits.extraMembersJSON = members
    if let status = value["status"], status.whole(in: 0...0) == nil {
      mistakes.remark(entry, "status is not 0 (healthy): used all the same")
    }
    return model
  }

  private mutating func readFlat(_ value: JSONValue, architecture: JSONValue?, _ model: inout DiscoveredModel) {
    let top = value["top_provider"]
    model.created = created(value["created"])
    model.context = tokens(
      value["context_length"] ?? top?["context_length"] ?? value["max_model_len"], "context_length")
    model.maxOutput = tokens(
      value["max_output_length"] ?? value["max_completion_tokens"] ?? top?["max_completion_tokens"],
      "max_output_length")
    model.traits.quantization = quantization(value["quantization"])
    model.traits.inputs = modalities((value["input_modalities"] ?? architecture?["input_modalities"])?.elements)
    model.traits.parameters = flatParameters(value)
    readPlace(value, &model.traits)
    let outputs = (value["output_modalities"] ?? architecture?["output_modalities"])?.elements
    let hasOutput = outputs?.contains { $0.text == "text" } ?? true
    setPrice(of: &model, value, hasOutput: hasOutput) { (list) throws(ListedPrice.Refusal) in
      try list.flatPrice(value["pricing"])
    }
  }

  private mutating func flatParameters(_ value: JSONValue) -> ParameterSet? {
    if let names = value["supported_parameters"] {
      guard let names = names.elements else {
        mistakes.add(entry, "supported_parameters is not a list")
        return nil
      }
      return parameters(names)
    }
    let sampling = value["supported_sampling_parameters"]?.elements
    let features = value["supported_features"]?.elements
    if sampling == nil, features == nil { return nil }
    // What one of the two lists would say is unknown without it, and unknown is let through.
    let declared = (sampling.map { parameters($0) } ?? Self.allSampling)
      .union(features.map { parameters($0) } ?? Self.allFeatures)
    return Self.withImplied(declared)
  }

  private func parameters(_ names: [JSONValue]) -> ParameterSet {
    var all: ParameterSet = []
    for case let name? in names.map(\.text) {
      switch name {
      case "json_mode": all.formUnion(.responseFormat)
      case "web_search": all.formUnion(ParameterSet(name: "web_search_options") ?? [])
      default: all.formUnion(ParameterSet(name: name) ?? [])
      }
    }
    return all
  }

  private static let allFeatures = named([
    "tools", "response_format", "structured_outputs", "logprobs", "web_search_options", "reasoning",
  ])
  private static let allSampling = named([
    "temperature", "top_p", "top_k", "min_p", "top_a", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "stop", "seed", "max_tokens", "logit_bias",
  ])

  private static func named(_ names: [String]) -> ParameterSet {
    names.reduce(into: []) { $0.formUnion(ParameterSet(name: $1) ?? []) }
  }
}

/// `pricing` as an object with `overrides`, or in its oldest form as a list with `min_context`.
extension ListReading {
  /// Prices that a token of text does not pay.
  private static let otherPrices: Set<String> = [
    "web_search", "audio", "audio_output", "input_audio_cache", "image_token", "image_output", "discount",
  ]
  /// Every other member of an override is a condition.
  private static let conditions: Set<String> = ["min_prompt_tokens", "min_context", "utc_start", "utc_end"]

  /// The prices of an object: one of `pricing`, or one of its overrides.
  private struct FlatPart {
    var prices = PriceOverride()
    var reasoning: Int64?
    var request: Int64?
    var image: Int64?
    var hasUnknownMember = false
  }

  private mutating func flatPrice(_ pricing: JSONValue?) throws(ListedPrice.Refusal) -> ListedPrice? {
    guard let pricing else { return nil }
    var (first, further) = (pricing, pricing["overrides"])
    if let steps = pricing.elements {
      guard let base = steps.first(where: { ($0["min_context"]?.whole(in: 0...TokenCount.most) ?? 0) == 0 }) else {
        throw ListedPrice.Refusal(reason: "pricing has no step for short prompts")
      }
      first = base
      further = .array(steps.filter { $0["min_context"] != nil && $0["min_context"]?.whole(in: 0...0) == nil })
    }
    guard first.members != nil else { throw ListedPrice.Refusal(reason: "pricing is not an object") }
    var isCacheRefused = false
    let base = try flatPart(first, &isCacheRefused)
    var price = ListedPrice()
    price.base = base.prices
    (price.requestPrice, price.imagePrice) = (base.request ?? 0, base.image ?? 0)
    guard let changes = further == nil ? [] : further?.elements else {
      throw ListedPrice.Refusal(reason: "pricing.overrides is not a list")
    }
    var isUncertain = changes.count > PriceSchedule.mostOverrides
    for change in changes {
      let part = try flatPart(change, &isCacheRefused)
      price.requestPrice = max(price.requestPrice, part.request ?? 0)
      price.imagePrice = max(price.imagePrice, part.image ?? 0)
      var entry = part.prices
      if let output = entry.output { entry.output = max(output, part.reasoning ?? base.reasoning ?? 0) }
      guard !part.hasUnknownMember, changes.count <= PriceSchedule.mostOverrides, setCondition(of: &entry, change)
      else {
        isUncertain = true
        raise(&price, to: entry)
        continue
      }
      price.overrides.append(entry)
    }
    if isUncertain {
      mistakes.remark(self.entry, "a price depends on more than prompt tokens and time: the dearest is used")
    }
    if isCacheRefused { dropCachePrices(&price) }
    return price
  }

  /// - Returns: false when the condition cannot be read, or there is none.
  private func setCondition(of entry: inout PriceOverride, _ change: JSONValue) -> Bool {
    do {
      entry.window = try Self.window(change)
    } catch {
      return false
    }
    if let least = change["min_prompt_tokens"] {
      guard let count = least.whole(in: 0...TokenCount.most) else { return false }
      entry.minPromptTokens = count
    }
    if let least = change["min_context"] {
      // Of this one it is not said whether a prompt of just that length is one: it is.
      guard let count = least.whole(in: 1...TokenCount.most) else { return false }
      entry.minPromptTokens = max(entry.minPromptTokens ?? 0, count - 1)
    }
    return entry.window != nil || entry.minPromptTokens != nil
  }

  /// Makes the price without a condition, and every one so far, at least as high as `entry`.
  private func raise(_ price: inout ListedPrice, to entry: PriceOverride) {
    for kind in PriceSchedule.Kind.allCases {
      guard let cost = entry[kind] else { continue }
      let isCache = kind == .cachedInput || kind == .cacheWrite
      // A cache price that is not there is that of input.
      if let before = price.base[kind] ?? (isCache ? price.base.input : nil), cost > before { price.base[kind] = cost }
      for place in price.overrides.indices {
        if let before = price.overrides[place][kind] { price.overrides[place][kind] = max(before, cost) }
      }
    }
  }

  private func dropCachePrices(_ price: inout ListedPrice) {
    (price.base.cachedInput, price.base.cacheWrite) = (nil, nil)
    for place in price.overrides.indices {
      (price.overrides[place].cachedInput, price.overrides[place].cacheWrite) = (nil, nil)
    }
  }

  private mutating func flatPart(
    _ value: JSONValue, _ isCacheRefused: inout Bool
  ) throws(ListedPrice.Refusal) -> FlatPart {
    var part = FlatPart()
    for member in value.members ?? [] {
      if case .null = member.value { continue }
      switch member.key {
      case "prompt": part.prices.input = try ListedPrice.amount(member.value, "prompt", .usdPerToken)
      case "completion": part.prices.output = try ListedPrice.amount(member.value, "completion", .usdPerToken)
      case "internal_reasoning":
        part.reasoning = try ListedPrice.amount(member.value, "internal_reasoning", .usdPerToken)
      case "request": part.request = try ListedPrice.amount(member.value, "request", .usdPerPiece)
      case "image": part.image = try ListedPrice.amount(member.value, "image", .usdPerPiece)
      case "input_cache_read", "input_cache_write", "input_cache_write_1h":
        do {
          let cost = try ListedPrice.amount(member.value, member.key, .usdPerToken)
          if member.key == "input_cache_read" {
            part.prices.cachedInput = cost
          } else {
            if part.prices.cacheWrite.map({ $0 != cost }) == true {
              mistakes.remark(entry, "cache writes differ by how long they are kept: the dearest is used")
            }
            part.prices.cacheWrite = max(part.prices.cacheWrite ?? 0, cost)
          }
        } catch {
          isCacheRefused = true
          mistakes.add(entry, error.reason)
        }
      case "overrides": break
      default:
        if !Self.otherPrices.contains(member.key), !Self.conditions.contains(member.key) {
          part.hasUnknownMember = true
        }
      }
    }
    if let output = part.prices.output, let reasoning = part.reasoning, reasoning > output {
      mistakes.remark(entry, "reasoning costs more than other output: all output is priced as reasoning")
      part.prices.output = reasoning
    }
    return part
  }
}
