/// A request's `tools`, passed over until one of a given name is found.
enum ToolList {
  enum Finding {
    /// `tools` is no list.
    case unreadable
    case missing
    /// Where the tool's `parameters` begin; `nil` when it has none.
    case found(Int?)
  }

  static func look(for name: [UInt8], in bytes: JSONBytes) -> Finding {
    guard bytes.count > 0 else { return .missing }
    var cursor = JSONCursor(bytes, depthLimit: RequestScanner.depthLimit)
    do throws(JSONFault) {
      guard try cursor.openArray() else { return .missing }
      repeat {
        let place = try cursor.value()
        guard place.kind == .object else { continue }
        let tool = try members(bytes, place.range.lowerBound)
        if tool.name.map({ JSONUnescaped(bytes, $0).elementsEqual(name) }) == true { return .found(tool.parameters) }
      } while try cursor.hasNextElement()
      return .missing
    } catch {
      return .unreadable
    }
  }

  /// A tool's name and parameters: in its `function`, or beside its type as in the Responses API.
  private static func members(
    _ bytes: JSONBytes, _ position: Int, isInside: Bool = false
  ) throws(JSONFault) -> (name: Range<Int>?, parameters: Int?) {
    var cursor = JSONCursor(bytes, position: position, depthLimit: RequestScanner.depthLimit)
    var found: (name: Range<Int>?, parameters: Int?) = (nil, nil)
    guard try cursor.openObject() else { return found }
    repeat {
      let key = try cursor.key()
      let (kind, range) = try cursor.value()
      if !isInside, kind == .object, cursor.matches(key, "function") || cursor.matches(key, "custom") {
        return try members(bytes, range.lowerBound, isInside: true)
      }
      if kind == .string, cursor.matches(key, "name") { found.name = range.lowerBound + 1..<range.upperBound - 1 }
      if kind == .object, cursor.matches(key, "parameters") { found.parameters = range.lowerBound }
    } while try cursor.hasNextMember()
    return found
  }
}
