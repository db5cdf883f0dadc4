/// Whether a value fits a JSON Schema: the part of draft 7 (draft-handrews-json-schema-validation-01) that tools use.
///
/// `type`, `enum`, `const`, `required`, `properties`, `additionalProperties`, `items`, the bounds of numbers, texts and
/// arrays, `anyOf`, `allOf`, `oneOf`, and `$ref` inside the document. What is not understood holds, and so does all that
/// would take more than a bounded number of steps.
struct JSONSchema {
  private static let depthLimit = 64
  private static let stepLimit = 100_000

  private let root: JSONTree
  private var stepsLeft = JSONSchema.stepLimit

  init(_ root: JSONTree) { self.root = root }

  func accepts(_ value: JSONTree) -> Bool {
    var judge = self
    return judge.accepts(value, root, depth: 0) || judge.stepsLeft <= 0
  }

  private mutating func accepts(_ value: JSONTree, _ schema: JSONTree, depth: Int) -> Bool {
    stepsLeft -= 1
    guard depth < Self.depthLimit else { stepsLeft = 0; return true }
    guard stepsLeft > 0 else { return true }
    if schema == .bool(false) { return false }
    guard case .object(let keywords) = schema, !keywords.isEmpty else { return true }
    if let reference = schema["$ref"]?.text {
      // In draft 7 nothing beside a reference counts.
      guard let target = resolved(reference) else { return true }
      return accepts(value, target, depth: depth + 1)
    }
    if let type = schema["type"], !Self.fits(value, type: type) { return false }
    if let constant = schema["const"], !isEqual(constant, value) { return false }
    if let choices = schema["enum"]?.elements, !choices.contains(where: { isEqual($0, value) }) { return false }
    switch value {
    case .number(let number): guard Self.fits(number, schema) else { return false }
    case .string(let text):
      let length = text.lazy.filter { $0 & 0xc0 != 0x80 }.count
      guard Self.isWithin(length, schema["minLength"], schema["maxLength"]) else { return false }
    case .array(let elements):
      guard Self.isWithin(elements.count, schema["minItems"], schema["maxItems"]) else { return false }
      guard fits(elements, schema, depth) else { return false }
    case .object(let members): guard fits(members, schema, depth) else { return false }
    case .null, .bool: break
    }
    return combinationsHold(value, schema, depth)
  }

  private mutating func combinationsHold(_ value: JSONTree, _ schema: JSONTree, _ depth: Int) -> Bool {
    for part in schema["allOf"]?.elements ?? [] where !accepts(value, part, depth: depth + 1) { return false }
    if let parts = schema["anyOf"]?.elements, !parts.isEmpty {
      var holds = false
      for part in parts where !holds { holds = accepts(value, part, depth: depth + 1) }
      guard holds else { return false }
    }
    if let parts = schema["oneOf"]?.elements, !parts.isEmpty {
      var count = 0
      for part in parts where accepts(value, part, depth: depth + 1) { count += 1 }
      guard count == 1 || stepsLeft <= 0 else { return false }
    }
    return true
  }

  private mutating func fits(_ elements: [JSONTree], _ schema: JSONTree, _ depth: Int) -> Bool {
    switch schema["items"] {
    case .array(let schemas)?:
      for (element, schema) in zip(elements, schemas) where !accepts(element, schema, depth: depth + 1) { return false }
    case let items?: for element in elements where !accepts(element, items, depth: depth + 1) { return false }
    case nil: break
    }
    return true
  }

  private mutating func fits(_ members: [[UInt8]: JSONTree], _ schema: JSONTree, _ depth: Int) -> Bool {
    for name in schema["required"]?.elements ?? [] {
      if let name = name.text, members[name] == nil { return false }
    }
    var properties: [[UInt8]: JSONTree] = [:]
    if case .object(let named)? = schema["properties"] { properties = named }
    // Which names a pattern covers is not known here.
    let further = schema["patternProperties"] == nil ? schema["additionalProperties"] : nil
    for (name, value) in members {
      guard let schema = properties[name] ?? further else { continue }
      guard accepts(value, schema, depth: depth + 1) else { return false }
    }
    return true
  }

  /// Deep equality, of which every value is a step.
  private mutating func isEqual(_ first: JSONTree, _ second: JSONTree) -> Bool {
    stepsLeft -= 1
    guard stepsLeft > 0 else { return true }
    switch (first, second) {
    case (.array(let a), .array(let b)):
      guard a.count == b.count else { return false }
      for (one, other) in zip(a, b) where !isEqual(one, other) { return false }
      return true
    case (.object(let a), .object(let b)):
      guard a.count == b.count else { return false }
      for (key, one) in a {
        guard let other = b[key], isEqual(one, other) else { return false }
      }
      return true
    case (.array, _), (.object, _): return false
    default: return first == second
    }
  }

  // MARK: single keywords

  private static func fits(_ value: JSONTree, type: JSONTree) -> Bool {
    switch type {
    case .string(let name): return isOf(value, name)
    case .array(let names):
      let known = names.compactMap(\.text)
      return known.isEmpty || known.contains { isOf(value, $0) }
    default: return true
    }
  }

  private static func isOf(_ value: JSONTree, _ type: [UInt8]) -> Bool {
    switch (String(decoding: type, as: UTF8.self), value) {
    case ("null", .null), ("boolean", .bool), ("number", .number), ("string", .string), ("array", .array),
      ("object", .object):
      true
    case ("integer", .number(let number)): number.rounded() == number
    case ("null", _), ("boolean", _), ("number", _), ("string", _), ("array", _), ("object", _), ("integer", _): false
    default: true
    }
  }

  private static func fits(_ number: Double, _ schema: JSONTree) -> Bool {
    if let bound = schema["minimum"]?.number, number < bound { return false }
    if let bound = schema["maximum"]?.number, number > bound { return false }
    if let bound = schema["exclusiveMinimum"]?.number, number <= bound { return false }
    if let bound = schema["exclusiveMaximum"]?.number, number >= bound { return false }
    return true
  }

  private static func isWithin(_ count: Int, _ least: JSONTree?, _ most: JSONTree?) -> Bool {
    if let least = least?.number, Double(count) < least { return false }
    if let most = most?.number, Double(count) > most { return false }
    return true
  }

  // MARK: references

  /// What a reference inside the document means (`#`, or `#/…`: RFC 6901 section 6).
  private func resolved(_ reference: [UInt8]) -> JSONTree? {
    guard reference.first == UInt8(ascii: "#") else { return nil }
    var place = root
    let pointer = Self.percentDecoded(reference.dropFirst())
    guard !pointer.isEmpty else { return place }
    guard pointer.first == UInt8(ascii: "/") else { return nil }
    for token in pointer.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      let name = Self.unescaped(token)
      switch place {
      case .object(let members):
        guard let next = members[name] else { return nil }
        place = next
      case .array(let elements):
        guard let index = Int(String(decoding: name, as: UTF8.self)), elements.indices.contains(index) else {
          return nil
        }
        place = elements[index]
      default: return nil
      }
    }
    return place
  }

  private static func unescaped(_ token: ArraySlice<UInt8>) -> [UInt8] {
    var name: [UInt8] = []
    var isEscape = false
    for byte in token {
      if isEscape {
        name.append(byte == UInt8(ascii: "1") ? UInt8(ascii: "/") : UInt8(ascii: "~"))
        isEscape = false
      } else if byte == UInt8(ascii: "~") {
        isEscape = true
      } else {
        name.append(byte)
      }
    }
    return name
  }

  private static func percentDecoded(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == UInt8(ascii: "%"), index + 2 < text.endIndex,
        let high = JSONBytes.hexadecimal(text[index + 1]), let low = JSONBytes.hexadecimal(text[index + 2])
      {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return result
  }
}
