extension RoutesFileReader {
  /// A single value that is not empty.
  mutating func text(_ node: YAMLNode, _ what: String) -> String? {
    guard case .text(let text) = node.content, !text.isEmpty else {
      mistakes.error(node.mark, "\(what) must be a single value, not \(node.kind)")
      return nil
    }
    return text
  }

  /// The texts of a list.
  mutating func texts(_ node: YAMLNode, _ what: String) -> [Located<String>] {
    guard case .list(let items) = node.content else {
      mistakes.error(node.mark, "\(what) must be a list such as [a, b], not \(node.kind)")
      return []
    }
    return items.compactMap { item in
      text(item, "an item of \(what)").map { Located(value: $0, mark: item.mark) }
    }
  }

  /// `true` or `false`; `nil` when it is not there.
  mutating func flag(_ entry: YAMLEntry?) -> Bool? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard text == "true" || text == "false" else {
      mistakes.error(entry.value.mark, "\(entry.key) must be true or false, not \(Wording.quoted(text))")
      return nil
    }
    return text == "true"
  }

  /// One word of a fixed set.
  mutating func word<Word>(_ text: Located<String>, _ what: String, among words: [(String, Word)]) -> Word? {
    if let found = words.first(where: { $0.0 == text.value }) { return found.1 }
    let names = words.map(\.0)
    let hint = mistakes.suggestion(for: text.value, among: names, otherwise: "; write \(Wording.choice(names))")
    mistakes.error(text.mark, "unknown \(what) \(Wording.quoted(text.value))\(hint)")
    return nil
  }

  mutating func word<Word>(_ entry: YAMLEntry?, among words: [(String, Word)]) -> Word? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    return word(Located(value: text, mark: entry.value.mark), entry.key, among: words)
  }

  /// The texts of a list that has at least one: an empty one would mean nobody, and read as anybody.
  mutating func someTexts(_ entry: YAMLEntry?) -> [Located<String>] {
    guard let entry else { return [] }
    if case .list(let items) = entry.value.content, items.isEmpty {
      mistakes.error(
        entry.value.mark, "the list of \(entry.key) is empty; name at least one, or leave \(entry.key) out")
    }
    return texts(entry.value, entry.key)
  }

  /// A number in `range` that is 0 or at least `stepFromZero`.
  mutating func number(_ entry: YAMLEntry?, _ range: ClosedRange<Double>, stepFromZero: Double = 0) -> Double? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let value = Quantity.decimal(text), range.contains(value), value == 0 || value >= stepFromZero else {
      let message =
        "\(entry.key) must be a number from \(range.lowerBound) to \(range.upperBound), not \(Wording.quoted(text))"
      mistakes.error(entry.value.mark, message)
      return nil
    }
    return value
  }

  /// A whole number from `least` to `most`.
  mutating func count(_ entry: YAMLEntry?, least: Int = 1, most: Int = 1_000_000_000) -> Int? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let number = Quantity.whole(text), number >= least, number <= most else {
      let message = "\(entry.key) must be a whole number from \(least) to \(most), not \(Wording.quoted(text))"
      mistakes.error(entry.value.mark, message)
      return nil
    }
    return number
  }

  /// - Parameter bounds: how a message calls `least` and `most`.
  mutating func duration(
    _ entry: YAMLEntry?, least: Duration = .milliseconds(1), most: Duration = .seconds(86_400),
    bounds: String = "at most 24h"
  ) -> Duration? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let duration = Quantity.duration(text, most: most), duration >= least else {
      let message = "\(Wording.quoted(text)) is not a duration for \(entry.key); write 500ms, 3s or 2m (\(bounds))"
      mistakes.error(entry.value.mark, message)
      return nil
    }
    return duration
  }

  /// A time of day.
  mutating func window(_ entry: YAMLEntry?) -> PriceOverride.Window? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let window = Quantity.window(text) else {
      let message = "\(Wording.quoted(text)) is no time of day; write \"08:00-18:00\", in UTC"
      mistakes.error(entry.value.mark, message)
      return nil
    }
    return window
  }

  mutating func timeouts(_ entry: YAMLEntry?) -> TimeoutChanges {
    guard let entry else { return TimeoutChanges() }
    let fields = fields(entry.value, of: "timeouts", known: ["connect", "headers", "first_token", "gap", "unstreamed"])
    return TimeoutChanges(
      connect: duration(fields["connect"]), headers: duration(fields["headers"]),
      firstToken: duration(fields["first_token"]), gap: duration(fields["gap"]),
      unstreamed: duration(fields["unstreamed"]))
  }
}
