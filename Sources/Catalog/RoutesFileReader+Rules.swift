extension RoutesFileReader {
  private static let conditionKeys = [
    "prompt_tokens", "tools", "images", "structured", "streamed", "key", "tag", "header", "utc",
  ]

  mutating func rules(_ entry: YAMLEntry) -> [RoutesFile.RuleEntry] {
    guard case .list(let items) = entry.value.content else {
      mistakes.error(entry.value.mark, "rules must be a list (- when: { … }), not \(entry.value.kind)")
      return []
    }
    var rules: [RoutesFile.RuleEntry] = []
    var names: Set<String> = []
    for (place, item) in items.enumerated() {
      let fields = fields(item, of: "a rule", known: ["name", "when", "models", "policy", "limits"])
      var name = "rule \(place + 1)"
      if let field = fields["name"], let text = text(field.value, "name") {
        name = text
        if !Self.isRuleName(name) {
          mistakes.error(field.value.mark, "\(Wording.quoted(name)) is no name for a rule; use 1 to 64 printable bytes")
        }
      }
      if !names.insert(name).inserted {
        let mark = fields["name"]?.value.mark ?? item.mark
        mistakes.error(mark, "another rule of this route is called \(Wording.quoted(name)) too; choose another name")
      }
      var rule = RoutesFile.RuleEntry(mark: item.mark, name: name)
      if let field = fields["when"] {
        readCondition(field, &rule)
      } else if case .map = item.content {
        mistakes.error(item.mark, "this rule has no when; write its condition, or change the route itself")
      }
      if let field = fields["models"] {
        rule.models = someTexts(field)
      }
      rule.policy = fields["policy"].map { Located(value: policy($0), mark: $0.value.mark) }
      rule.limits = fields["limits"].map { limits($0) }
      rules.append(rule)
    }
    return rules
  }

  private static func isRuleName(_ name: String) -> Bool {
    name.utf8.count <= 64 && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }
  }

  private mutating func readCondition(_ entry: YAMLEntry, _ rule: inout RoutesFile.RuleEntry) {
    let fields = fields(entry.value, of: "when", known: Self.conditionKeys)
    if case .map(let entries) = entry.value.content, entries.isEmpty {
      mistakes.error(entry.value.mark, "this when is empty, so the rule would always match; change the route itself")
    }
    if let field = fields["prompt_tokens"] {
      let bounds = self.fields(field.value, of: "prompt_tokens", known: ["min", "max"])
      rule.condition.minPromptTokens = count(bounds["min"], least: 0).map(Int64.init)
      rule.condition.maxPromptTokens = count(bounds["max"], least: 0).map(Int64.init)
      if case .map(let entries) = field.value.content, entries.isEmpty {
        mistakes.error(field.value.mark, "prompt_tokens needs min, max or both")
      }
    }
    rule.condition.hasTools = flag(fields["tools"])
    rule.condition.hasImages = flag(fields["images"])
    rule.condition.isStructured = flag(fields["structured"])
    rule.condition.isStreamed = flag(fields["streamed"])
    rule.keys = oneOrMore(fields["key"])
    rule.condition.keys = rule.keys.map(\.value)
    rule.condition.tags = oneOrMore(fields["tag"]).map(\.value)
    if let field = fields["header"] { rule.condition.headers = ruleHeaders(field) }
    rule.condition.window = window(fields["utc"])
  }

  /// A single value, or a list of several.
  private mutating func oneOrMore(_ entry: YAMLEntry?) -> [Located<String>] {
    guard let entry else { return [] }
    if case .list = entry.value.content { return someTexts(entry) }
    return text(entry.value, entry.key).map { [Located(value: $0, mark: entry.value.mark)] } ?? []
  }

  private mutating func ruleHeaders(_ entry: YAMLEntry) -> [RuleCondition.Header] {
    guard case .map(let entries) = entry.value.content, !entries.isEmpty else {
      let message = "header must be a map from names to values such as { X-Team: agents }, not \(entry.value.kind)"
      mistakes.error(entry.value.mark, message)
      return []
    }
    var headers: [RuleCondition.Header] = []
    for entry in entries {
      let name = entry.key.lowercased()
      guard Self.isToken(name) else {
        mistakes.error(entry.mark, "\(Wording.quoted(entry.key)) is no header name")
        continue
      }
      guard name != "authorization", name != "x-api-key" else {
        mistakes.error(entry.mark, "the header \(entry.key) holds a secret; write key: and the name of a client key")
        continue
      }
      guard !headers.contains(where: { $0.name == name }) else {
        mistakes.error(entry.mark, "the header \(entry.key) is here twice; remove one")
        continue
      }
      guard let value = headerValue(entry) else { continue }
      headers.append(.init(name: name, value: value))
    }
    return headers
  }

  /// The value of a header field, if it can stand on one.
  mutating func headerValue(_ entry: YAMLEntry) -> String? {
    guard let value = text(entry.value, "the header \(entry.key)") else { return nil }
    guard Credential.isSendable(value) else {
      mistakes.error(
        entry.value.mark, "the header \(entry.key) must be printable ASCII on one line, at most 8 KiB, no outer spaces")
      return nil
    }
    return value
  }
}
