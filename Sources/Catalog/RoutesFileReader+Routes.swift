extension RoutesFileReader {
  // MARK: - Models

  mutating func readModel(_ entry: YAMLEntry) {
    var model = RoutesFile.ModelEntry(name: Located(value: entry.key, mark: entry.mark))
    let fields = fields(entry.value, of: "a model", known: ["endpoints", "created", "quality", "distillable"])
    if let created = count(fields["created"], most: 1 << 40) { model.created = Int64(created) }
    model.quality = number(fields["quality"], 0...1)
    model.isDistillable = flag(fields["distillable"])
    if let field = fields["endpoints"] {
      if case .list(let items) = field.value.content {
        for item in items {
          if let endpoint = endpoint(item, model: entry.key) { model.endpoints.append(endpoint) }
        }
        if items.isEmpty { mistakes.error(field.mark, "the list of endpoints is empty; write who serves this model") }
      } else {
        mistakes.error(field.value.mark, "endpoints must be a list (- provider: NAME), not \(field.value.kind)")
      }
    } else if case .map = entry.value.content, !file.providers.contains(where: { $0.discovery?.joins == true }) {
      let message = "model \(Wording.quoted(entry.key)) has no endpoints; write endpoints: [{ provider: NAME }]"
      mistakes.error(entry.mark, message)
    }
    file.models.append(model)
  }

  private static let endpointKeys = ["provider", "model", "price", "context", "max_output"] + traitKeys

  private mutating func endpoint(_ node: YAMLNode, model: String) -> RoutesFile.EndpointEntry? {
    let fields = fields(node, of: "an endpoint", known: Self.endpointKeys)
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
    let traits = traits(fields)
    guard let provider = fields["provider"] else {
      if case .map = node.content {
        mistakes.error(node.mark, "this endpoint has no provider; write provider: and a name from providers")
      }
      return nil
    }
    guard let name = text(provider.value, "provider") else { return nil }
    return RoutesFile.EndpointEntry(
      mark: node.mark, provider: Located(value: name, mark: provider.value.mark), upstreamModel: upstream,
      namesModel: fields["model"] != nil, price: price, context: context, maxOutput: maxOutput, traits: traits)
  }

  // MARK: - Routes

  private static let routeKeys = [
    "models", "policy", "limits", "rules", "explore", "hold_conversations", "on_client_leave", "drain", "timeouts",
    "resume", "hedge",
  ]
  /// The most of a route's requests that may be spent on exploring.
  private static let mostExploration = 0.2

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
    route.policy = fields["policy"].map { Located(value: policy($0), mark: $0.value.mark) }
    route.limits = fields["limits"].map { limits($0) }
    if let field = fields["rules"] { route.rules = rules(field) }
    route.exploration = exploration(fields["explore"])
    route.holdsConversations = flag(fields["hold_conversations"]) ?? true
    route.onClientLeave = clientLeave(fields["on_client_leave"], drain: fields["drain"])
    route.timeouts = timeouts(fields["timeouts"])
    route.resumes = flag(fields["resume"]) ?? false
    route.resumeMark = fields["resume"]?.mark
    route.hedge = hedge(fields["hedge"])
    file.routes.append(route)
  }

  private mutating func exploration(_ entry: YAMLEntry?) -> Double? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let share = Quantity.share(text), share <= Self.mostExploration else {
      mistakes.error(
        entry.value.mark, "explore must be a share from 0% to 20%, such as 1%, not \(Wording.quoted(text))")
      return nil
    }
    return share
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
}
