extension RoutesFileReader {
  // MARK: - Models

  mutating func readModel(_ entry: YAMLEntry) {
    var model = RoutesFile.ModelEntry(name: Located(value: entry.key, mark: entry.mark))
    let fields = fields(entry.value, of: "a model", known: ["endpoints", "created"])
    if let created = count(fields["created"], most: 1 << 40) { model.created = Int64(created) }
    if let field = fields["endpoints"] {
      if case .list(let items) = field.value.content {
        for item in items {
          if let endpoint = endpoint(item, model: entry.key) { model.endpoints.append(endpoint) }
        }
        if items.isEmpty { mistakes.error(field.mark, "the list of endpoints is empty; write who serves this model") }
      } else {
        mistakes.error(field.value.mark, "endpoints must be a list (- provider: NAME), not \(field.value.kind)")
      }
    } else if case .map = entry.value.content {
      let message = "model \(Wording.quoted(entry.key)) has no endpoints; write endpoints: [{ provider: NAME }]"
      mistakes.error(entry.mark, message)
    }
    file.models.append(model)
  }

  private mutating func endpoint(_ node: YAMLNode, model: String) -> RoutesFile.EndpointEntry? {
    let fields = fields(node, of: "an endpoint", known: ["provider", "model", "price", "context", "max_output"])
    var upstream = model
    if let field = fields["model"], let name = text(field.value, "model") {
      if name.utf8.count <= NameIndex.longestName,
        name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
      {
        upstream = name
      } else {
        mistakes.error(
          field.value.mark, "this model name has control characters or more than \(NameIndex.longestName) bytes")
      }
    }
    let price = price(fields["price"])
    let context = count(fields["context"])
    let maxOutput = count(fields["max_output"])
    guard let provider = fields["provider"] else {
      if case .map = node.content {
        mistakes.error(node.mark, "this endpoint has no provider; write provider: and a name from providers")
      }
      return nil
    }
    guard let name = text(provider.value, "provider") else { return nil }
    return RoutesFile.EndpointEntry(
      mark: node.mark, provider: Located(value: name, mark: provider.value.mark), upstreamModel: upstream, price: price,
      hasPrice: fields["price"] != nil, context: context, maxOutput: maxOutput)
  }

  // MARK: - Routes

  private static let routeKeys = ["models", "policy", "on_client_leave", "drain", "timeouts"]

  mutating func readRoute(_ entry: YAMLEntry) {
    var route = RoutesFile.RouteEntry(name: Located(value: entry.key, mark: entry.mark))
    let fields = fields(entry.value, of: "a route", known: Self.routeKeys)
    if let field = fields["models"] {
      if case .list(let items) = field.value.content, items.isEmpty {
        mistakes.error(
          field.value.mark, "route \(Wording.quoted(entry.key)) has an empty list of models; name at least one")
      }
      route.models = texts(field.value, "models")
    } else if case .map = entry.value.content {
      mistakes.error(entry.mark, "route \(Wording.quoted(entry.key)) has no models; write models: [NAME]")
    }
    if let field = fields["policy"] { route.policy = policy(field) }
    route.onClientLeave = clientLeave(fields["on_client_leave"], drain: fields["drain"])
    route.timeouts = timeouts(fields["timeouts"])
    file.routes.append(route)
  }

  private mutating func clientLeave(_ entry: YAMLEntry?, drain: YAMLEntry?) -> Route.ClientLeave {
    var seconds = 60
    if let drain {
      let fields = fields(drain.value, of: "drain", known: ["seconds"])
      if let written = count(fields["seconds"], most: 3_600) { seconds = written }
    }
    var isDrain = false
    if let entry, let text = text(entry.value, "on_client_leave") {
      isDrain = text == "drain"
      if !isDrain, text != "cancel" {
        mistakes.error(entry.value.mark, "on_client_leave must be cancel or drain, not \(Wording.quoted(text))")
        return .cancel
      }
    }
    if let drain, !isDrain {
      mistakes.warning(drain.mark, "drain does nothing without on_client_leave: drain")
    }
    return isDrain ? .drain(.seconds(seconds)) : .cancel
  }

  // MARK: - Policies

  private static let policies = ["default", "order", "weighted"]
  private static let laterPolicies = ["price", "latency", "throughput", "balanced", "least_busy"]

  private mutating func policy(_ entry: YAMLEntry) -> RoutesFile.PolicyEntry {
    switch entry.value.content {
    case .text(let text):
      switch text {
      case "default": return .default
      case "order": return .order([])
      case "weighted": return .weighted([])
      default:
        reportPolicy(text, entry.value.mark)
        return .default
      }
    case .map(let entries):
      guard let choice = entries.first, entries.count == 1 else {
        mistakes.error(entry.value.mark, "a policy has one name: { order: [NAME, …] } or { weighted: { NAME: 3, … } }")
        return .default
      }
      switch choice.key {
      case "order": return .order(texts(choice.value, "order"))
      case "weighted": return .weighted(weights(choice.value))
      default:
        reportPolicy(choice.key, choice.mark)
        return .default
      }
    case .empty, .list:
      mistakes.error(entry.value.mark, "policy must be \(Wording.choice(Self.policies)), not \(entry.value.kind)")
      return .default
    }
  }

  private mutating func reportPolicy(_ name: String, _ mark: SourceMark) {
    if Self.laterPolicies.contains(name) {
      mistakes.error(
        mark, "the policy \(name) comes later and is not available yet; write \(Wording.choice(Self.policies))")
    } else {
      let hint = mistakes.suggestion(
        for: name, among: Self.policies + Self.laterPolicies, otherwise: "; write \(Wording.choice(Self.policies))")
      mistakes.error(mark, "unknown policy \(Wording.quoted(name))\(hint)")
    }
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
