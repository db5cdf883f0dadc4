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
    for entry in named(fields["presets"], "preset") { readPreset(entry) }
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
}
