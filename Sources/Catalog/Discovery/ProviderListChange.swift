import Wire

/// What is different in a provider's list from one reading to the next.
public struct ProviderListChange: Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    case added(Price?)
    case removed
    /// The price of a token without conditions.
    case price(old: Price?, new: Price?)
    /// What is paid beside that: by long prompts, at some hours, for a request or an image.
    case furtherPrices
    case context(old: Int?, new: Int?)
    case maxOutput(old: Int?, new: Int?)
    case quantization(old: Quantization, new: Quantization)
    /// Names of parameters that are taken now, and that are no longer.
    case parameters(added: [String], removed: [String])
    /// Where it runs or what becomes of prompts.
    case policy
    /// Anything else that is known of it.
    case other
  }

  public let id: String
  /// The endpoint's tag, where there are several of one id.
  public let tag: String?
  public let kind: Kind

  /// Every difference, first those of models that are in `new`, in its order; that prices were read again is none.
  public static func between(old: [DiscoveredModel], new: [DiscoveredModel]) -> [ProviderListChange] {
    var before: [Identity: DiscoveredModel] = [:]
    for model in old where before[Identity(model)] == nil { before[Identity(model)] = model }
    var changes: [ProviderListChange] = []
    var kept: Set<Identity> = []
    for model in new where kept.insert(Identity(model)).inserted {
      let kinds = before[Identity(model)].map { differences(from: $0, to: model) } ?? [.added(model.price)]
      changes += kinds.map { ProviderListChange(id: model.id, tag: model.traits.tag, kind: $0) }
    }
    for model in old where kept.insert(Identity(model)).inserted {
      changes.append(ProviderListChange(id: model.id, tag: model.traits.tag, kind: .removed))
    }
    return changes
  }

  private struct Identity: Hashable {
    let id: String
    let tag: String?

    init(_ model: DiscoveredModel) {
      id = model.id
      tag = model.traits.tag
    }
  }

  private static func differences(from old: DiscoveredModel, to new: DiscoveredModel) -> [Kind] {
    var kinds: [Kind] = []
    var rest = old
    if old.price != new.price { kinds.append(.price(old: old.price, new: new.price)) }
    rest.price = new.price
    if old.traits.priceOverrides != new.traits.priceOverrides || old.traits.requestPrice != new.traits.requestPrice
      || old.traits.imagePrice != new.traits.imagePrice
    {
      kinds.append(.furtherPrices)
    }
    rest.traits.priceOverrides = new.traits.priceOverrides
    rest.traits.requestPrice = new.traits.requestPrice
    rest.traits.imagePrice = new.traits.imagePrice
    rest.traits.priceStaleAt = new.traits.priceStaleAt
    if old.context != new.context { kinds.append(.context(old: old.context, new: new.context)) }
    rest.context = new.context
    if old.maxOutput != new.maxOutput { kinds.append(.maxOutput(old: old.maxOutput, new: new.maxOutput)) }
    rest.maxOutput = new.maxOutput
    if old.traits.quantization != new.traits.quantization {
      kinds.append(.quantization(old: old.traits.quantization, new: new.traits.quantization))
    }
    rest.traits.quantization = new.traits.quantization
    if let was = old.traits.parameters, let now = new.traits.parameters, was != now {
      kinds.append(.parameters(added: now.subtracting(was).listed, removed: was.subtracting(now).listed))
      rest.traits.parameters = now
    }
    let (wasPolicy, policy) = (old.traits, new.traits)
    if wasPolicy.region != policy.region || wasPolicy.retains != policy.retains || wasPolicy.trains != policy.trains {
      kinds.append(.policy)
    }
    (rest.traits.region, rest.traits.retains, rest.traits.trains) = (policy.region, policy.retains, policy.trains)
    if rest != new { kinds.append(.other) }
    return kinds
  }

  /// One line for a log.
  public var description: String {
    let name = Wording.quoted(id) + (tag.map { " at " + Wording.quoted($0) } ?? "")
    switch kind {
    case .added(let price): return "\(name) is new: \(Self.text(price))"
    case .removed: return "\(name) is gone"
    case .price(let old, let new): return "\(name) changed its price from \(Self.text(old)) to \(Self.text(new))"
    case .furtherPrices: return "\(name) changed its prices by prompt length or time, or for a request or an image"
    case .context(let old, let new): return "\(name) changed its context from \(Self.text(old)) to \(Self.text(new))"
    case .maxOutput(let old, let new):
      return "\(name) changed its longest output from \(Self.text(old)) to \(Self.text(new))"
    case .quantization(let old, let new): return "\(name) changed its quantization from \(old) to \(new)"
    case .parameters(let added, let removed):
      let parts =
        [added.isEmpty ? nil : "takes \(added.joined(separator: ", ")) now"]
        + [removed.isEmpty ? nil : "no longer takes \(removed.joined(separator: ", "))"]
      return "\(name) " + parts.compactMap { $0 }.joined(separator: " and ")
    case .policy: return "\(name) changed its region or what becomes of prompts"
    case .other: return "\(name) changed in what else is known of it"
    }
  }

  private static func text(_ count: Int?) -> String { count.map { "\($0) tokens" } ?? "unknown" }

  private static func text(_ price: Price?) -> String {
    guard let price else { return "no known price" }
    var parts = ["input \(perMillion(price.input))", "output \(perMillion(price.output))"]
    if let cached = price.cachedInput { parts.append("cached input \(perMillion(cached))") }
    if let written = price.cacheWrite { parts.append("cache write \(perMillion(written))") }
    return parts.joined(separator: ", ") + " USD per million tokens"
  }

  /// As a plain decimal number: 130,000 pico-USD per token are `0.13`.
  private static func perMillion(_ pico: Int64) -> String {
    let (whole, rest) = pico.quotientAndRemainder(dividingBy: 1_000_000)
    if rest == 0 { return String(whole) }
    var digits = Substring(String(rest))
    digits = Substring(String(repeating: "0", count: max(0, 6 - digits.count)) + digits)
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
  }
}
