/// Reads the nodes of a document into a `RoutesFile`: kinds of values and names of keys, not what they refer to.
struct RoutesFileReader {
  var file: RoutesFile
  var mistakes: MistakeList

  init(file: RoutesFile) {
    self.file = file
    mistakes = MistakeList(file: file.name)
  }

  mutating func readFile(_ root: YAMLNode?) {
    guard let root, case .map = root.content else {
      let mark = root?.mark ?? SourceMark(line: 1, column: 1)
      mistakes.error(mark, "the file holds no map; write at least providers:, models: and routes:")
      return
    }
    let fields = fields(root, of: "the file", known: RoutesFile.topKeys)
    for entry in named(fields["providers"], "provider") { readProvider(entry) }
    for entry in named(fields["models"], "model") { readModel(entry) }
    for entry in named(fields["routes"], "route") { readRoute(entry) }
    for entry in named(fields["keys"], "key") { readKey(entry) }
    readListeners(fields["listeners"])
  }

  // MARK: - Kinds of values

  /// The entries of a map of which only some keys are known; empty, with a mistake, for anything else.
  mutating func fields(_ node: YAMLNode, of what: String, known: [String]) -> [String: YAMLEntry] {
    guard case .map(let entries) = node.content else {
      mistakes.error(node.mark, "\(what) must be a map with \(Wording.choice(known)), not \(node.kind)")
      return [:]
    }
    var fields: [String: YAMLEntry] = [:]
    for entry in entries {
      guard known.contains(entry.key) else {
        let hint = mistakes.suggestion(
          for: entry.key, among: known, otherwise: "; the keys here are \(known.joined(separator: ", "))")
        mistakes.error(entry.mark, "unknown key \(Wording.quoted(entry.key)) in \(what)\(hint)")
        continue
      }
      fields[entry.key] = entry
    }
    return fields
  }

  /// The entries of a map from free names; nothing there is an empty map.
  mutating func named(_ entry: YAMLEntry?, _ what: String) -> [YAMLEntry] {
    guard let entry else { return [] }
    switch entry.value.content {
    case .empty: return []
    case .map(let entries): return entries.filter { isName($0, what) }
    case .text, .list:
      let message = "\(entry.key) must be a map from \(what) names, not \(entry.value.kind)"
      mistakes.error(entry.value.mark, message)
      return []
    }
  }

  private mutating func isName(_ entry: YAMLEntry, _ what: String) -> Bool {
    let isShort = !entry.key.isEmpty && entry.key.utf8.count <= NameIndex.longestName / 2
    let isPlain: Bool
    if what == "provider" {
      // It is a part of paths, so it must not be made of dots.
      isPlain =
        entry.key.first?.isPunctuation != true
        && entry.key.utf8.allSatisfy { byte in
          (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z") || (0x30...0x39).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
    } else {
      isPlain = entry.key.unicodeScalars.allSatisfy {
        $0.value > 0x20 && !(0x7f...0xa0).contains($0.value) && $0 != "*"
      }
    }
    guard isShort, isPlain else {
      let letters = what == "provider" ? "letters, digits, and inside - _ ." : "no spaces, * or control characters"
      let message = "\(Wording.quoted(entry.key)) is no name for a \(what); use 1 to 256 bytes: \(letters)"
      mistakes.error(entry.mark, message)
      return false
    }
    return true
  }

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

  mutating func boolean(_ entry: YAMLEntry?) -> Bool {
    guard let entry, let text = text(entry.value, entry.key) else { return false }
    guard text == "true" || text == "false" else {
      mistakes.error(entry.value.mark, "\(entry.key) must be true or false, not \(Wording.quoted(text))")
      return false
    }
    return text == "true"
  }

  /// A whole number above 0.
  mutating func count(_ entry: YAMLEntry?, most: Int = 1_000_000_000) -> Int? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let number = Quantity.whole(text), number > 0, number <= most else {
      let message = "\(entry.key) must be a whole number from 1 to \(most), not \(Wording.quoted(text))"
      mistakes.error(entry.value.mark, message)
      return nil
    }
    return number
  }

  mutating func duration(_ entry: YAMLEntry?, least: Duration = .milliseconds(1)) -> Duration? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    guard let duration = Quantity.duration(text), duration >= least else {
      let message = "\(Wording.quoted(text)) is not a duration for \(entry.key); write 500ms, 3s or 2m (at most 24h)"
      mistakes.error(entry.value.mark, message)
      return nil
    }
    return duration
  }

  mutating func timeouts(_ entry: YAMLEntry?) -> TimeoutChanges {
    guard let entry else { return TimeoutChanges() }
    let fields = fields(entry.value, of: "timeouts", known: ["connect", "headers", "first_token", "gap", "unstreamed"])
    return TimeoutChanges(
      connect: duration(fields["connect"]), headers: duration(fields["headers"]),
      firstToken: duration(fields["first_token"]), gap: duration(fields["gap"]),
      unstreamed: duration(fields["unstreamed"]))
  }

  mutating func price(_ entry: YAMLEntry?) -> Price? {
    guard let entry else { return nil }
    let known = ["input", "cached_input", "cache_write", "output"]
    let fields = fields(entry.value, of: "a price", known: known)
    guard !fields.isEmpty else { return nil }
    for key in ["input", "output"] where fields[key] == nil {
      mistakes.error(entry.value.mark, "a price needs \(key): USD per million tokens")
    }
    let input = amount(fields["input"])
    let output = amount(fields["output"])
    let cachedInput = amount(fields["cached_input"])
    let cacheWrite = amount(fields["cache_write"])
    guard let input, let output else { return nil }
    return Price(input: input, cachedInput: cachedInput, cacheWrite: cacheWrite, output: output)
  }

  /// Pico-USD per token.
  private mutating func amount(_ entry: YAMLEntry?) -> Int64? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    do throws(USD.Mistake) {
      return try USD.picoPerToken(perMillion: text)
    } catch {
      let reason =
        switch error {
        case .notANumber: "is not a plain number such as 0.13"
        case .negative: "is negative; write 0 for free, or leave the price out when it is not known"
        case .tooManyDigits: "has more than 6 decimals; 0.000001 is the smallest step"
        case .tooHigh: "is not below \(USD.highestPerMillion)"
        }
      let message = "the price \(Wording.quoted(text)) for \(entry.key) \(reason) (USD per million tokens)"
      mistakes.error(entry.value.mark, message)
      return nil
    }
  }
}
