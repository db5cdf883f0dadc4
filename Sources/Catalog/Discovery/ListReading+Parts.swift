import Wire

/// What entries of several shapes have in common.
extension ListReading {
  /// Bytes of an id.
  private static let longestID = 256

  /// The id that goes on the wire; without one the entry cannot be used.
  mutating func begin(_ id: JSONValue?, _ name: String = "id") throws(Refusal) -> DiscoveredModel {
    guard let id else { throw Refusal(reason: "there is no \(name)") }
    guard let text = id.text else { throw Refusal(reason: "\(name) is not text") }
    entry.id = text
    guard Self.isUsableID(text) else {
      throw Refusal(reason: "\(name) is empty, longer than \(Self.longestID) bytes, or has control characters")
    }
    return DiscoveredModel(id: text)
  }

  static func isUsableID(_ text: String) -> Bool {
    guard text.utf8.count <= longestID, text.unicodeScalars.contains(where: { $0 != " " }) else { return false }
    return !text.unicodeScalars.contains {
      switch $0.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: true
      default: false
      }
    }
  }

  func addAliases(_ names: [JSONValue?], to model: inout DiscoveredModel) {
    for case let name? in names.map({ $0?.text }) where Self.isUsableID(name) && name != model.id {
      if !model.aliases.contains(name) { model.aliases.append(name) }
    }
  }

  /// A number of tokens; 0 means that it is not known.
  mutating func tokens(_ value: JSONValue?, _ name: String) -> Int? {
    guard let value else { return nil }
    guard let count = value.whole(in: 0...TokenCount.most) else {
      mistakes.add(entry, "\(name) is not a number of tokens")
      return nil
    }
    return count > 0 ? Int(count) : nil
  }

  func created(_ value: JSONValue?) -> Int64 {
    guard let value else { return 0 }
    return value.whole(in: 0...1 << 40) ?? value.text.flatMap { ListedDate.seconds($0) } ?? 0
  }

  mutating func quantization(_ value: JSONValue?) -> Quantization {
    guard let value else { return .unknown }
    if let word = value.text?.lowercased(), let known = Quantization(rawValue: word) { return known }
    mistakes.add(entry, "quantization is none of \(Wording.choice(Quantization.allCases.map(\.rawValue)))")
    return .unknown
  }

  /// - Returns: `nil` when nothing is declared.
  mutating func modalities(_ names: [JSONValue]?) -> InputModalities? {
    guard let names else { return nil }
    var all: InputModalities = []
    for name in names {
      guard let word = name.text, let modality = InputModalities(name: word) else {
        mistakes.add(entry, "an input modality is not known")
        continue
      }
      all.formUnion(modality)
    }
    return all
  }

  /// Parameters that come with others where a list has no word of their own for them.
  static func withImplied(_ parameters: ParameterSet) -> ParameterSet {
    var all = parameters
    for (name, implied) in [
      ("tools", ["tool_choice", "parallel_tool_calls"]), ("logprobs", ["top_logprobs"]),
      ("max_tokens", ["max_completion_tokens"]), ("reasoning", ["reasoning_effort", "include_reasoning"]),
    ] where ParameterSet(name: name).map({ all.isSuperset(of: $0) }) == true {
      for name in implied { all.formUnion(ParameterSet(name: name) ?? []) }
    }
    return all
  }

  /// Throws when the provider does not offer the model now.
  func checkOffered(_ value: JSONValue) throws(Refusal) {
    if let ready = value["is_ready"], ready.bool != true { throw Refusal(reason: "not ready (is_ready): left out") }
    for name in ["deprecation_date", "expiration_date"] {
      guard let date = value[name] else { continue }
      guard let end = date.text.flatMap({ ListedDate.seconds($0, dayEndsAt: 13) }) else {
        throw Refusal(reason: "\(name) is no date: left out")
      }
      if end <= now { throw Refusal(reason: "its \(name) has passed: left out") }
    }
  }

  mutating func readPlace(_ value: JSONValue, _ traits: inout EndpointTraits) {
    traits.region = region(value["datacenters"]) ?? value["deployment_region"]?.text.flatMap(Self.regionName)
    switch value["compliance"]?["zdr"] {
    case .bool(let isZero)?:
      traits.retains = !isZero
      // What is not kept trains nothing.
      if isZero { traits.trains = false }
    case nil: break
    default: mistakes.add(entry, "compliance.zdr is neither true nor false")
    }
  }

  /// One region where there is one; with several, what they have in common, if anything.
  private mutating func region(_ value: JSONValue?) -> String? {
    guard let value else { return nil }
    guard let centers = value.elements else {
      mistakes.add(entry, "datacenters is no list")
      return nil
    }
    var regions: Set<String> = []
    var countries: Set<String> = []
    for center in centers {
      guard let country = center["country_code"]?.text?.lowercased(), country.utf8.count == 2,
        Self.regionName(country) != nil
      else {
        mistakes.add(entry, "a data center has no country_code of two letters")
        return nil
      }
      countries.insert(country)
      let region = center["region"]?.text.flatMap(Self.regionName)
      regions.insert(region.flatMap { $0.hasPrefix(country + "-") ? $0 : nil } ?? country)
    }
    return regions.count == 1 ? regions.first : countries.count == 1 ? countries.first : nil
  }

  private static func regionName(_ text: String) -> String? {
    let isName = text.utf8.allSatisfy { byte in
      switch byte | 0x20 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
      default: false
      }
    }
    return isName && (1...64).contains(text.utf8.count) ? text.lowercased() : nil
  }

  /// The discount in 10^-12; `nil` when it would leave the price unknown.
  mutating func discount(_ value: JSONValue?) throws(ListedPrice.Refusal) -> Int64 {
    guard let value else { return 0 }
    let one: Int64 = 1_000_000_000_000
    guard let text = value.digits, let decimal = try? ExactDecimal(text), let size = decimal.scaled(by: 12),
      size >= -10 * one
    else { throw ListedPrice.Refusal(reason: "discount_to_user is not a number from -10 to 1") }
    guard size < one else {
      mistakes.add(entry, "discount_to_user is not below 1: the price is used without it")
      return 0
    }
    return size
  }

  /// Sets the price, or says why there is none.
  mutating func setPrice(
    of model: inout DiscoveredModel, _ value: JSONValue, hasOutput: Bool,
    _ read: (inout ListReading) throws(ListedPrice.Refusal) -> ListedPrice?
  ) {
    switch value["is_free"] {
    case nil, .bool(false)?: break
    case .bool(true)?:
      model.price = Price(input: 0, output: 0)
      model.traits.priceStaleAt = staleAt
      return
    default: mistakes.add(entry, "is_free is neither true nor false")
    }
    do {
      guard var price = try read(&self) else { return }
      price.discount = try discount(value["discount_to_user"])
      try price.write(to: &model, hasOutput: hasOutput)
      model.traits.priceStaleAt = staleAt
    } catch {
      mistakes.add(entry, error.reason)
    }
  }
}
