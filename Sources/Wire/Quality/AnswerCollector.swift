/// Gathers from the chunks of an answer, or from a whole answer, what its quality is told by: tool calls and text. What
/// it keeps is bounded; an answer that is larger is not judged.
public struct AnswerCollector: Sendable {
  /// How much of all tool calls, and of all text, is kept, in bytes.
  public static let limit = 65_536
  /// How many tool calls are kept.
  public static let callLimit = 256

  /// One tool call, as far as it has come.
  public struct Call: Sendable, Equatable {
    public let choice: Int
    public let index: Int
    public internal(set) var name: [UInt8] = []
    public internal(set) var arguments: [UInt8] = []
  }

  /// The text of one choice, unescaped.
  public struct Text: Sendable, Equatable {
    public let choice: Int
    public internal(set) var bytes: [UInt8] = []
  }

  public private(set) var calls: [Call] = []
  public private(set) var texts: [Text] = []
  /// Whether some of the answer was too much to be kept.
  public var isCut: Bool { callRoom < 0 || textRoom < 0 }
  /// How many bytes may still come; below 0 when some did not find room.
  private var callRoom = AnswerCollector.limit
  private var textRoom = AnswerCollector.limit

  public init() {}

  /// Adds one event's data, or a whole body that was not streamed. Bytes that are no such JSON add nothing: the relay's
  /// own scan has an opinion of them.
  public mutating func add(_ data: Span<UInt8>) {
    data.withJSONBytes { bytes in
      var cursor = JSONCursor(bytes, depthLimit: ChunkScan.depthLimit)
      _ = try? read(&cursor)
    }
  }

  private mutating func read(_ cursor: inout JSONCursor) throws(JSONFault) {
    guard try cursor.openObject() else { return }
    repeat {
      let key = try cursor.key()
      if cursor.matches(key, "choices"), try cursor.peek() == UInt8(ascii: "[") {
        try readChoices(&cursor)
      } else {
        _ = try cursor.value()
      }
    } while try cursor.hasNextMember()
  }

  private mutating func readChoices(_ cursor: inout JSONCursor) throws(JSONFault) {
    guard try cursor.openArray() else { return }
    var place = 0
    repeat {
      var message: Range<Int>?
      var index = place
      try Self.eachMember(&cursor) { (cursor, key) throws(JSONFault) in
        let isMessage = cursor.matches(key, "delta") || cursor.matches(key, "message")
        let isIndex = cursor.matches(key, "index")
        let (kind, range) = try cursor.value()
        if isMessage, kind == .object { message = range }
        if isIndex { index = Self.place(cursor.bytes, kind, range) ?? place }
      }
      if let message {
        var inside = JSONCursor(cursor.bytes, position: message.lowerBound, depthLimit: ChunkScan.depthLimit)
        try readMessage(&inside, choice: index)
      }
      place += 1
    } while try cursor.hasNextElement()
  }

  private mutating func readMessage(_ cursor: inout JSONCursor, choice: Int) throws(JSONFault) {
    guard try cursor.openObject() else { return }
    repeat {
      let key = try cursor.key()
      if cursor.matches(key, "tool_calls"), try cursor.peek() == UInt8(ascii: "[") {
        guard try cursor.openArray() else { continue }
        var place = 0
        repeat {
          try readCall(&cursor, choice: choice, place: place)
          place += 1
        } while try cursor.hasNextElement()
      } else if cursor.matches(key, "function_call"), try cursor.peek() == UInt8(ascii: "{") {
        try readFunction(&cursor, choice: choice, index: 0)
      } else {
        let isContent = cursor.matches(key, "content")
        let (kind, range) = try cursor.value()
        if isContent, kind == .string { addText(cursor.bytes, range, choice: choice) }
      }
    } while try cursor.hasNextMember()
  }

  private mutating func readCall(_ cursor: inout JSONCursor, choice: Int, place: Int) throws(JSONFault) {
    var function: Range<Int>?
    var index = place
    try Self.eachMember(&cursor) { (cursor, key) throws(JSONFault) in
      let isFunction = cursor.matches(key, "function")
      let isIndex = cursor.matches(key, "index")
      let (kind, range) = try cursor.value()
      if isFunction, kind == .object { function = range }
      if isIndex { index = Self.place(cursor.bytes, kind, range) ?? place }
    }
    guard let function else { return }
    var inside = JSONCursor(cursor.bytes, position: function.lowerBound, depthLimit: ChunkScan.depthLimit)
    try readFunction(&inside, choice: choice, index: index)
  }

  private mutating func readFunction(_ cursor: inout JSONCursor, choice: Int, index: Int) throws(JSONFault) {
    guard let place = placeOfCall(choice: choice, index: index) else { return }
    var (name, arguments): (Range<Int>?, (kind: JSONKind, range: Range<Int>)?) = (nil, nil)
    let bytes = cursor.bytes
    try Self.eachMember(&cursor) { (cursor, key) throws(JSONFault) in
      let isName = cursor.matches(key, "name")
      let isArguments = cursor.matches(key, "arguments")
      let (kind, range) = try cursor.value()
      if isName, kind == .string { name = range.lowerBound + 1..<range.upperBound - 1 }
      if isArguments, kind != .null { arguments = (kind, range) }
    }
    if let name {
      let text = Self.taken(JSONUnescaped(bytes, name), from: &callRoom)
      // Some providers say the whole name again in each chunk.
      if text != calls[place].name { calls[place].name += text }
    }
    guard let arguments else { return }
    if arguments.kind == .string {
      let text = arguments.range.lowerBound + 1..<arguments.range.upperBound - 1
      calls[place].arguments += Self.taken(JSONUnescaped(bytes, text), from: &callRoom)
    } else {
      // Not as OpenAI writes it, but it says the same.
      calls[place].arguments += Self.taken(arguments.range.lazy.map { bytes[$0] }, from: &callRoom)
    }
  }

  private mutating func placeOfCall(choice: Int, index: Int) -> Int? {
    if let place = calls.lastIndex(where: { $0.choice == choice && $0.index == index }) { return place }
    guard calls.count < Self.callLimit else {
      callRoom = -1
      return nil
    }
    calls.append(Call(choice: choice, index: index))
    return calls.count - 1
  }

  private mutating func addText(_ bytes: JSONBytes, _ range: Range<Int>, choice: Int) {
    guard range.count > 2 else { return }
    // Of a cut text no more is of use.
    guard textRoom >= 0 else { return }
    let text = Self.taken(JSONUnescaped(bytes, range.lowerBound + 1..<range.upperBound - 1), from: &textRoom)
    if let place = texts.lastIndex(where: { $0.choice == choice }) {
      texts[place].bytes += text
    } else {
      texts.append(Text(choice: choice, bytes: text))
    }
  }

  private static func taken(_ source: some Sequence<UInt8>, from room: inout Int) -> [UInt8] {
    var output: [UInt8] = []
    for byte in source {
      guard room > 0 else {
        room = -1
        break
      }
      output.append(byte)
      room -= 1
    }
    return output
  }

  private static func place(_ bytes: JSONBytes, _ kind: JSONKind, _ range: Range<Int>) -> Int? {
    guard kind == .number, let value = bytes.wholeNumber(range), value < ChoiceSet.limit else { return nil }
    return Int(value)
  }

  /// Reads an object's members one by one; a value of another kind is passed over.
  private static func eachMember(
    _ cursor: inout JSONCursor, _ body: (inout JSONCursor, JSONCursor.Key) throws(JSONFault) -> Void
  ) throws(JSONFault) {
    guard try cursor.peek() == UInt8(ascii: "{") else {
      _ = try cursor.value()
      return
    }
    guard try cursor.openObject() else { return }
    repeat {
      let key = try cursor.key()
      try body(&cursor, key)
    } while try cursor.hasNextMember()
  }
}
