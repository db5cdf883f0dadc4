// Yams' own tree stops at the first duplicate key and hashes keys without bound, which aliases can make exponential. So
// this file reads the events of libyaml, which Yams brings along, and is the only one that knows it.
internal import CYaml

/// Turns text into a `YAMLNode`, within bounds on size, depth and what aliases expand to.
final class YAMLReader {
  static let longestText = 4 << 20
  static let deepest = 32
  static let mostNodes = 1_000_000
  private static let tooDeep = "nested more than \(deepest) levels deep"

  /// What is wrong with the text as YAML.
  struct Problem: Error {
    let mark: SourceMark
    let message: String
  }

  /// Mistakes that do not stop the reading: duplicate keys, keys that are not text.
  private(set) var problems: [Problem] = []

  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private var anchors: [String: YAMLNode] = [:]
  private var nodes = 0

  private init() {
    parser.initialize(to: yaml_parser_t())
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  /// The only document of `text`, and the mistakes in it that did not stop the reading; `nil` for a text without any.
  static func read(_ text: String) throws(Problem) -> (root: YAMLNode?, problems: [Problem]) {
    guard text.utf8.count <= longestText else {
      throw Problem(mark: SourceMark(line: 1, column: 1), message: "the file is larger than 4 MiB")
    }
    // libyaml wants an address even for an empty text.
    let bytes = Array(text.utf8) + [UInt8(ascii: "\n")]
    let outcome = bytes.withUnsafeBufferPointer { buffer in
      Result { () throws(Problem) in
        let reader = YAMLReader()
        let root = try reader.document(buffer)
        return (root: root, problems: reader.problems)
      }
    }
    return try outcome.get()
  }

  private enum Event {
    case text(String, isPlain: Bool, anchor: String?)
    case alias(String)
    case listStart(anchor: String?)
    case mapStart(anchor: String?)
    case end
    case documentStart
    case streamEnd
    case other
  }

  private func document(_ buffer: UnsafeBufferPointer<UInt8>) throws(Problem) -> YAMLNode? {
    guard yaml_parser_initialize(parser) == 1 else {
      throw Problem(mark: SourceMark(line: 1, column: 1), message: "out of memory")
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
    _ = try next()
    guard case (.documentStart, _) = try next() else { return nil }
    let (event, mark) = try next()
    let root = try node(event, mark, depth: 1)
    _ = try next()
    let (after, afterMark) = try next()
    guard case .streamEnd = after else {
      throw Problem(mark: afterMark, message: "a second document begins here; write one only")
    }
    return root
  }

  private func node(_ event: Event, _ mark: SourceMark, depth: Int) throws(Problem) -> YAMLNode {
    nodes += 1
    try check(depth: depth, at: mark)
    switch event {
    case .text(let text, let isPlain, let anchor):
      let isEmpty = isPlain && (text.isEmpty || text == "~" || text == "null")
      let node = YAMLNode(content: isEmpty ? .empty : .text(text), mark: mark, weight: 1, height: 1)
      if let anchor { anchors[anchor] = node }
      return node
    case .alias(let name):
      guard let target = anchors[name] else {
        throw Problem(mark: mark, message: "no anchor &\(name) stands above this alias")
      }
      nodes += target.weight
      try check(depth: depth + target.height - 1, at: mark)
      // It is the alias that a mistake in it should point to.
      return YAMLNode(content: target.content, mark: mark, weight: target.weight, height: target.height)
    case .listStart(let anchor):
      return try list(anchor, mark, depth)
    case .mapStart(let anchor):
      return try map(anchor, mark, depth)
    case .end, .documentStart, .streamEnd, .other:
      throw Problem(mark: mark, message: "the YAML ends too early")
    }
  }

  private func list(_ anchor: String?, _ mark: SourceMark, _ depth: Int) throws(Problem) -> YAMLNode {
    var items: [YAMLNode] = []
    var weight = 1
    var height = 0
    while true {
      let (event, itemMark) = try next()
      if case .end = event { break }
      let item = try node(event, itemMark, depth: depth + 1)
      weight += item.weight
      height = max(height, item.height)
      items.append(item)
    }
    let node = YAMLNode(content: .list(items), mark: mark, weight: weight, height: height + 1)
    if let anchor { anchors[anchor] = node }
    return node
  }

  private func map(_ anchor: String?, _ mark: SourceMark, _ depth: Int) throws(Problem) -> YAMLNode {
    var entries: [YAMLEntry] = []
    var lines: [String: Int] = [:]
    var weight = 1
    var height = 0
    while true {
      let (event, keyMark) = try next()
      if case .end = event { break }
      let key = try node(event, keyMark, depth: depth + 1)
      let (valueEvent, valueMark) = try next()
      let value = try node(valueEvent, valueMark, depth: depth + 1)
      weight += key.weight + value.weight
      height = max(height, key.height, value.height)
      guard case .text(let name) = key.content else {
        problems.append(Problem(mark: keyMark, message: "a key must be a name, not \(key.kind)"))
        continue
      }
      if let line = lines[name] {
        let message = "the key \(Wording.quoted(name)) is here twice, first in line \(line); remove one"
        problems.append(Problem(mark: keyMark, message: message))
        continue
      }
      lines[name] = keyMark.line
      entries.append(YAMLEntry(key: name, mark: keyMark, value: value))
    }
    let node = YAMLNode(content: .map(entries), mark: mark, weight: weight, height: height + 1)
    if let anchor { anchors[anchor] = node }
    return node
  }

  private func check(depth: Int, at mark: SourceMark) throws(Problem) {
    guard depth <= Self.deepest else {
      throw Problem(mark: mark, message: Self.tooDeep)
    }
    guard nodes <= Self.mostNodes else {
      throw Problem(mark: mark, message: "more than \(Self.mostNodes) values, those that aliases stand for included")
    }
  }

  private func next() throws(Problem) -> (Event, SourceMark) {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxProblem() }
    defer { yaml_event_delete(&event) }
    let mark = Self.mark(event.start_mark)
    let tag: UnsafeMutablePointer<yaml_char_t>?
    let result: Event
    switch event.type {
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      tag = scalar.tag
      result = .text(
        String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
        anchor: Self.text(scalar.anchor))
    case YAML_ALIAS_EVENT:
      tag = nil
      result = .alias(Self.text(event.data.alias.anchor) ?? "")
    case YAML_SEQUENCE_START_EVENT:
      tag = event.data.sequence_start.tag
      result = .listStart(anchor: Self.text(event.data.sequence_start.anchor))
    case YAML_MAPPING_START_EVENT:
      tag = event.data.mapping_start.tag
      result = .mapStart(anchor: Self.text(event.data.mapping_start.anchor))
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
      tag = nil
      result = .end
    case YAML_DOCUMENT_START_EVENT:
      tag = nil
      result = .documentStart
    case YAML_STREAM_END_EVENT:
      tag = nil
      result = .streamEnd
    default:
      tag = nil
      result = .other
    }
    guard tag == nil else {
      throw Problem(mark: mark, message: "tags such as !!str are not used here; leave the tag out")
    }
    return (result, mark)
  }

  private func syntaxProblem() -> Problem {
    let state = parser.pointee
    let text = state.problem.map { String(cString: $0) } ?? "out of memory"
    let context = state.context.map { " " + String(cString: $0) } ?? ""
    var mark = Self.mark(state.problem_mark)
    if state.error == YAML_READER_ERROR {
      // The reader knows no mark of what it could not decode, only how far the scanner had come.
      mark = Self.mark(state.mark)
    }
    if text.hasPrefix("Maximum nesting level") {
      return Problem(mark: mark, message: Self.tooDeep)
    }
    return Problem(mark: mark, message: "this is not YAML: \(text)\(context); look at the indentation and quotes here")
  }

  private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    guard let bytes else { return nil }
    return String(cString: bytes)
  }

  private static func mark(_ mark: yaml_mark_t) -> SourceMark {
    SourceMark(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
  }
}
