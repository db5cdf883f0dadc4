extension RoutesFileReader {
  private static let policies: [(String, RoutesFile.PolicyEntry)] = [
    ("default", .default), ("price", .price), ("latency", .latency), ("throughput", .throughput),
    ("balanced", .balanced(BalancedWeights())), ("least_busy", .leastBusy), ("order", .order([])),
    ("weighted", .weighted([])),
  ]

  mutating func policy(_ entry: YAMLEntry) -> RoutesFile.PolicyEntry {
    switch entry.value.content {
    case .text(let text):
      return word(Located(value: text, mark: entry.value.mark), "policy", among: Self.policies) ?? .default
    case .map(let entries):
      guard let choice = entries.first, entries.count == 1 else {
        let message =
          "a policy has one name: { order: [NAME, …] }, { weighted: { NAME: 3, … } } or { balanced: { price: 1, … } }"
        mistakes.error(entry.value.mark, message)
        return .default
      }
      switch choice.key {
      case "order": return .order(texts(choice.value, "order"))
      case "weighted": return .weighted(weights(choice.value))
      case "balanced": return .balanced(balance(choice.value))
      default:
        let name = Located(value: choice.key, mark: choice.mark)
        if let policy = word(name, "policy", among: Self.policies) {
          mistakes.error(choice.value.mark, "the policy \(choice.key) has no settings; write policy: \(choice.key)")
          return policy
        }
        return .default
      }
    case .empty, .list:
      mistakes.error(
        entry.value.mark, "policy must be \(Wording.choice(Self.policies.map(\.0))), not \(entry.value.kind)")
      return .default
    }
  }

  /// What is not named keeps its usual weight.
  private mutating func balance(_ node: YAMLNode) -> BalancedWeights {
    var weights = BalancedWeights()
    let known: [(String, WritableKeyPath<BalancedWeights, Double>)] = [
      ("price", \.price), ("latency", \.latency), ("throughput", \.throughput), ("availability", \.availability),
      ("quality", \.quality),
    ]
    let fields = fields(node, of: "balanced", known: known.map(\.0))
    for (key, weight) in known {
      if let value = number(fields[key], 0...1_000) { weights[keyPath: weight] = value }
    }
    if known.allSatisfy({ weights[keyPath: $0.1] == 0 }) {
      mistakes.error(node.mark, "at least one weight must be above 0")
    }
    return weights
  }

  private mutating func weights(_ node: YAMLNode) -> [RoutesFile.PolicyEntry.Weight] {
    guard case .map(let entries) = node.content else {
      mistakes.error(node.mark, "weighted must be a map from names to numbers such as { a: 3, b: 1 }, not \(node.kind)")
      return []
    }
    var weights: [RoutesFile.PolicyEntry.Weight] = []
    for entry in entries {
      guard let text = text(entry.value, "a weight") else { continue }
      guard let value = Quantity.decimal(text), value <= 1_000_000 else {
        let message = "the weight of \(Wording.quoted(entry.key)) must be a number from 0 to 1000000"
        mistakes.error(entry.value.mark, message)
        continue
      }
      weights.append(.init(name: Located(value: entry.key, mark: entry.mark), value: value))
    }
    if weights.count == entries.count, !weights.contains(where: { $0.value > 0 }) {
      mistakes.error(node.mark, "at least one weight must be above 0")
    }
    return weights
  }
}
