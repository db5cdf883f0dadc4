/// A value of a provider's list. Numbers stay text, so that a price is read as it was written.
enum JSONValue: Sendable {
  struct Member: Sendable {
    let key: String
    let value: JSONValue
  }

  case null
  case bool(Bool)
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])
  /// Something that is not kept: no JSON (`NaN`), not UTF-8, or larger than anything that is looked for.
  case refused

  /// The member of this name, of several the last; `nil` when it is not there, is null, or this is no object.
  subscript(_ key: String) -> JSONValue? {
    guard case .object(let members) = self, let member = members.last(where: { $0.key == key }) else { return nil }
    if case .null = member.value { return nil }
    return member.value
  }

  var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The digits of a number, or of a string that should hold one.
  var digits: String? {
    switch self {
    case .number(let text), .string(let text): text
    default: nil
    }
  }

  var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  var elements: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// A whole number in `range`, written in any way that is exact (`1e6`, `1000000.0`).
  func whole(in range: ClosedRange<Int64>) -> Int64? {
    guard case .number(let text) = self, let decimal = try? ExactDecimal(text), decimal.isWhole else { return nil }
    guard let value = decimal.scaled(by: 0), range.contains(value) else { return nil }
    return value
  }
}
