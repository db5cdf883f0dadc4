import Wire

/// OpenRouter's provider schema 2.4 (`Provider Monitor Schema V2`): what is typed, priced and limited by modality.
extension ListReading {
  mutating func typed(_ value: JSONValue) throws(Refusal) -> DiscoveredModel {
    var model = try begin(value["id"])
    try checkOffered(value)
    if let version = value["schema_version"], version.text?.hasPrefix("2.") != true {
      mistakes.remark(entry, "schema_version is not 2.4; read as if it were")
    }
    addAliases([value["openrouter"]?["slug"], value["hugging_face_id"]], to: &model)
    model.created = created(value["created"])
    model.traits.quantization = quantization(value["quantization"])
    readPlace(value, &model.traits)

    let inputs = value["input_modalities"]?.elements ?? []
    let outputs = value["output_modalities"]?.elements ?? []
    if inputs.isEmpty || outputs.isEmpty { mistakes.add(entry, "there are no input or output modalities") }
    if !inputs.isEmpty { model.traits.inputs = modalities(inputs.map { $0["type"] ?? .refused }) }
    let text = inputs.first { $0["type"]?.text == "text" }
    let answer = outputs.first { $0["type"]?.text == "text" }
    model.context = tokens(length(text?["supported_inputs"]?["max_context_length"]), "max_context_length")
    model.maxOutput = tokens(length(answer?["max_length"]), "max_length")
    model.traits.parameters = parameters(answer, passedThrough: value["passthrough_parameters"])
    model.traits.concurrency = concurrency([value] + inputs + outputs)
    setPrice(of: &model, value, hasOutput: answer != nil || outputs.isEmpty) {
      (list) throws(ListedPrice.Refusal) in try list.typedPrice(value, inputs, outputs)
    }
    return model
  }

  /// The value of `{value, unit}` when it counts tokens.
  private func length(_ value: JSONValue?) -> JSONValue? {
    value?["unit"]?.text == "token" ? value?["value"] ?? .refused : nil
  }

  /// A key that is not there is a parameter that is not supported.
  private mutating func parameters(_ answer: JSONValue?, passedThrough: JSONValue?) -> ParameterSet? {
    guard let declared = answer?["supported_parameters"] else { return nil }
    guard let members = declared.members else {
      mistakes.add(entry, "supported_parameters is not an object")
      return nil
    }
    var all: ParameterSet = []
    for member in members + (passedThrough?.members ?? []) {
      switch member.value {
      case .null, .bool(false): continue
      default: all.formUnion(ParameterSet(name: member.key) ?? [])
      }
    }
    return Self.withImplied(all)
  }

  private mutating func concurrency(_ places: [JSONValue]) -> Int? {
    var least: Int64?
    for place in places {
      for limit in place["capacity"]?.elements ?? [] where limit["type"]?.text == "concurrency" {
        guard let value = limit["value"]?.whole(in: 1...TokenCount.most) else {
          mistakes.add(entry, "a capacity of type concurrency is not a number of requests")
          continue
        }
        least = min(least ?? value, value)
      }
    }
    return least.map { Int($0) }
  }
}

/// Prices by kind, unit and qualifiers.
extension ListReading {
  private mutating func typedPrice(
    _ value: JSONValue, _ inputs: [JSONValue], _ outputs: [JSONValue]
  ) throws(ListedPrice.Refusal) -> ListedPrice? {
    var price = ListedPrice()
    var schedule = PriceSchedule()
    /// What tells apart prices that are one here: `ttl_seconds` and `implicit` of cache prices.
    var qualifiers: [PriceSchedule.Kind: Set<String>] = [:]
    var refusedKinds: Set<PriceSchedule.Kind> = []
    var isPriced = false
    for (modality, place) in [(nil, value)] + inputs.map({ ("input", $0) }) + outputs.map({ ("output", $0) }) {
      guard let list = place["pricing"] else { continue }
      guard let elements = list.elements else { throw ListedPrice.Refusal(reason: "pricing is not a list") }
      isPriced = isPriced || !elements.isEmpty
      let type = place["type"]?.text ?? "text"
      for element in elements {
        guard let name = element["type"]?.text, let unit = element["unit"]?.text else {
          throw ListedPrice.Refusal(reason: "a price has no type or no unit")
        }
        switch (modality, type, name, unit) {
        case ("input"?, "text", "prompt", "token"):
          schedule.entries.append(try typedEntry(element, .input, name))
        case ("input"?, "text", "cached_prompt", "token"), ("input"?, "text", "cache_write", "token"):
          let kind: PriceSchedule.Kind = name == "cache_write" ? .cacheWrite : .cachedInput
          qualifiers[kind, default: []].insert(qualifier(of: element))
          do {
            schedule.entries.append(try typedEntry(element, kind, name))
          } catch {
            refusedKinds.insert(kind)
            mistakes.add(entry, error.reason)
          }
        case ("output"?, "text", "completion", "token"):
          schedule.entries.append(try typedEntry(element, .output, name))
        case ("output"?, "text", "internal_reasoning", "token"):
          schedule.leastOutput = max(schedule.leastOutput, try dearest(element, name, .usdPerToken))
        case (nil, _, "request", "request"), ("output"?, "text", "completion", "request"):
          price.requestPrice = max(price.requestPrice, try dearest(element, name, .usdPerPiece))
        case ("input"?, "image", "prompt", "image"):
          price.imagePrice = max(price.imagePrice, try dearest(element, "of an image", .usdPerPiece))
        case (nil, _, "web_search", _): break
        default: mistakes.remark(entry, "prices of other units, or of what is no text, are left out")
        }
      }
    }
    guard isPriced else { return nil }
    schedule.entries.removeAll { refusedKinds.contains($0.kind) }
    if qualifiers.values.contains(where: { $0.count > 1 }) {
      mistakes.remark(entry, "cache prices differ by ttl_seconds or implicit: the dearest is used")
    }
    noteWhatIsLost(in: schedule)
    (price.base, price.overrides) = schedule.resolved()
    return price
  }

  private func qualifier(of element: JSONValue) -> String {
    "\(element["ttl_seconds"]?.digits ?? "") \(element["implicit"]?.bool ?? false)"
  }

  private mutating func noteWhatIsLost(in schedule: PriceSchedule) {
    if schedule.entries.contains(where: { $0.kind == .output && $0.cost < schedule.leastOutput }) {
      mistakes.remark(entry, "reasoning costs more than other output: all output is priced as reasoning")
    }
    if schedule.entries.contains(where: { $0.changes.contains { $0.condition.isUncertain } }) {
      mistakes.remark(entry, "a price depends on more than prompt tokens and time: the dearest is used")
    }
    for kind in PriceSchedule.Kind.allCases {
      let entries = schedule.entries.filter { $0.kind == kind }
      if !entries.isEmpty, entries.allSatisfy({ $0.window != nil }) {
        mistakes.remark(entry, "a price holds for some hours only: the dearest is used for the others")
      }
    }
  }

  private func typedEntry(
    _ element: JSONValue, _ kind: PriceSchedule.Kind, _ name: String
  ) throws(ListedPrice.Refusal) -> PriceSchedule.Entry {
    var result = PriceSchedule.Entry(
      kind: kind, window: try Self.window(element), cost: try typedAmount(element, name, .usdPerToken))
    for change in try typedOverrides(element, name) {
      result.changes.append((PriceCondition(change["when"]), try typedAmount(change, name, .usdPerToken)))
    }
    return result
  }

  /// The most that a price may be under any condition, for what has room for one price only.
  private func dearest(
    _ element: JSONValue, _ name: String, _ unit: ListedPrice.Unit
  ) throws(ListedPrice.Refusal) -> Int64 {
    var most = try typedAmount(element, name, unit)
    for change in try typedOverrides(element, name) { most = max(most, try typedAmount(change, name, unit)) }
    return most
  }

  private func typedOverrides(_ element: JSONValue, _ name: String) throws(ListedPrice.Refusal) -> [JSONValue] {
    guard let overrides = element["overrides"] else { return [] }
    guard let elements = overrides.elements else {
      throw ListedPrice.Refusal(reason: "overrides of price \(name) are not a list")
    }
    return elements
  }

  private func typedAmount(
    _ element: JSONValue, _ name: String, _ unit: ListedPrice.Unit
  ) throws(ListedPrice.Refusal) -> Int64 {
    guard let cost = element["cost_usd"] else {
      throw ListedPrice.Refusal(reason: "price \(name) has no cost_usd")
    }
    return try ListedPrice.amount(cost, name, unit)
  }

  /// `utc_start` and `utc_end`, hours and minutes as HHMM; `nil` when there are none.
  static func window(_ element: JSONValue) throws(ListedPrice.Refusal) -> PriceOverride.Window? {
    if element["utc_start"] == nil, element["utc_end"] == nil { return nil }
    guard let from = minute(element["utc_start"]), let to = minute(element["utc_end"]), from != to else {
      throw ListedPrice.Refusal(reason: "utc_start and utc_end of a price are no window of HHMM")
    }
    return PriceOverride.Window(from: from, to: to)
  }

  private static func minute(_ value: JSONValue?) -> Int? {
    guard let time = value?.whole(in: 0...2400), time % 100 < 60 else { return nil }
    return Int(time / 100 * 60 + time % 100)
  }
}
