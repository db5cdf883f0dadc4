/// Where the names in a policy come from.
struct PolicyNames {
  /// What a message calls the route or the rule.
  let title: String
  let models: [Located<String>]
  /// A name that means nothing is a mistake here: not where a rule takes over its route's policy.
  let reports: Bool
}

extension RouteTableCompiler {
  mutating func policy(
    _ entry: RoutesFile.PolicyEntry?, _ names: PolicyNames, _ plans: [PlannedModel], _ candidates: [Int]
  ) -> SelectionPolicySpec {
    switch entry {
    case nil, .default: return .default
    case .price: return .price
    case .latency: return .latency
    case .throughput: return .throughput
    case .balanced(let weights): return .balanced(weights)
    case .leastBusy: return .leastBusy
    case .order(let order):
      let meanings = meanings(plans, Set(candidates))
      var named: [Int] = []
      var seen: Set<Int> = []
      for name in order {
        for endpoint in look(up: name, in: meanings, names) where seen.insert(endpoint).inserted {
          named.append(endpoint)
        }
      }
      return .order(named + candidates.filter { !seen.contains($0) })
    case .weighted(let weights):
      let meanings = meanings(plans, Set(candidates))
      return .weighted(compile(weights, meanings, names, candidates))
    }
  }

  /// A provider's weight is shared by its endpoints; an endpoint's own weight goes before its provider's. When none of
  /// those with a weight can be used now, all are equal.
  private mutating func compile(
    _ weights: [RoutesFile.PolicyEntry.Weight], _ meanings: [String: [Int]], _ names: PolicyNames,
    _ candidates: [Int]
  ) -> [Double] {
    var own: [Int: Double] = [:]
    var shared: [Int: Double] = [:]
    for weight in weights {
      let meant = look(up: weight.name, in: meanings, names)
      if providerPlaces[weight.name.value] == nil {
        for endpoint in meant { own[endpoint] = weight.value }
      } else {
        for endpoint in meant { shared[endpoint] = weight.value / Double(meant.count) }
      }
    }
    let result = candidates.map { own[$0] ?? shared[$0] ?? 0 }
    return result.contains { $0 > 0 } ? result : result.map { _ in 1 }
  }

  /// The candidates that each endpoint id, tag and provider name stands for in a route; none for what is left out now.
  private func meanings(_ plans: [PlannedModel], _ candidates: Set<Int>) -> [String: [Int]] {
    var meanings: [String: [Int]] = [:]
    for endpoint in plans.lazy.flatMap(\.planned) {
      let usable = endpoint.index.flatMap { candidates.contains($0) ? [$0] : nil } ?? []
      let provider = file.providers[endpoint.entry].name.value
      let tag = endpoint.tag ?? provider
      for name in Set([endpoint.id, endpoint.plainID, provider, tag]) { meanings[name, default: []] += usable }
    }
    return meanings
  }

  private mutating func look(
    up name: Located<String>, in meanings: [String: [Int]], _ names: PolicyNames
  ) -> [Int] {
    if let meant = meanings[name.value] { return meant }
    guard names.reports else { return [] }
    // A discovered provider's models come and go.
    let provider = String(name.value.prefix { $0 != ":" })
    if let place = providerPlaces[provider], file.providers[place].discovers,
      names.models.contains(where: { $0.value.hasPrefix(provider + "/") })
    {
      return []
    }
    let known = meanings.keys.sorted()
    let hint = mistakes.suggestion(
      for: name.value, among: known,
      otherwise: known.isEmpty ? "" : "; it has \(known.prefix(6).joined(separator: ", "))")
    let message = "\(names.title) has no endpoint or provider \(Wording.quoted(name.value))"
    mistakes.error(name.mark, message + hint)
    return []
  }
}
