import Wire

/// What a provider listed, found by any of its names without regard to case.
struct ListedModels {
  /// The lists come from the network: there is an end.
  private static let most = 10_000

  /// Those with a fit name, each id and tag once.
  let models: [DiscoveredModel]
  /// Places in `models` that became further endpoints of the file's models.
  var joined: Set<Int> = []
  private var places: [String: [Int]] = [:]

  init(_ listed: [DiscoveredModel]) {
    var models: [DiscoveredModel] = []
    var seen: Set<String> = []
    for model in listed.lazy.filter({ Self.isFit($0.id) }).prefix(Self.most) {
      guard seen.insert("\(model.id) \(model.traits.tag ?? "")").inserted else { continue }
      for name in Set(([model.id] + model.aliases).map { $0.lowercased() }) {
        places[name, default: []].append(models.count)
      }
      models.append(model)
    }
    self.models = models
  }

  private static func isFit(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.count <= NameIndex.longestName / 2
      && id.unicodeScalars.allSatisfy { $0.value > 0x20 && !(0x7f...0xa0).contains($0.value) && $0 != "*" }
  }

  /// All that are known under this name, in the order of the list.
  func named(_ name: String) -> [Int] { places[name.lowercased()] ?? [] }

  /// The one that an endpoint of the file means: where a provider lists several under one name, the tag decides, then
  /// the tier, and when it is still not clear, none is meant.
  func model(named name: String, tag: String?, tier: ServiceTier?) -> DiscoveredModel? {
    let all = named(name).map { models[$0] }
    if let tag, let tagged = all.first(where: { $0.traits.tag == tag }) { return tagged }
    if all.count <= 1 { return all.first }
    let sold = all.filter { $0.traits.tier == tier ?? .default }
    return sold.count == 1 ? sold.first : sold.first { $0.traits.tag == nil }
  }
}
