/// A JSON value in memory, for what is judged off the request path.
enum JSONTree: Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string([UInt8])
  case array([JSONTree])
  /// Of a key that is there twice, the last.
  case object([[UInt8]: JSONTree])

  /// How deeply a value may nest.
  static let depthLimit = 64

  /// A whole text; `nil` when it is no JSON, or too deep.
  init?(_ bytes: JSONBytes) {
    var cursor = JSONCursor(bytes, depthLimit: Self.depthLimit)
    do throws(JSONFault) {
      self = try Self.read(&cursor)
      try cursor.finish()
    } catch {
      return nil
    }
  }

  /// The value that begins at an offset.
  init?(_ bytes: JSONBytes, at position: Int) {
    var cursor = JSONCursor(bytes, position: position, depthLimit: Self.depthLimit)
    do throws(JSONFault) { self = try Self.read(&cursor) } catch { return nil }
  }

  /// The cursor's limit bounds the recursion.
  private static func read(_ cursor: inout JSONCursor) throws(JSONFault) -> JSONTree {
    switch try cursor.peek() {
    case UInt8(ascii: "{"):
      var members: [[UInt8]: JSONTree] = [:]
      guard try cursor.openObject() else { return .object(members) }
      repeat {
        let key = try cursor.key()
        members[Array(JSONUnescaped(cursor.bytes, key.range))] = try read(&cursor)
      } while try cursor.hasNextMember()
      return .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONTree] = []
      guard try cursor.openArray() else { return .array(elements) }
      repeat { elements.append(try read(&cursor)) } while try cursor.hasNextElement()
      return .array(elements)
    default:
      let bytes = cursor.bytes
      let (kind, range) = try cursor.value()
      switch kind {
      case .string: return .string(Array(JSONUnescaped(bytes, range.lowerBound + 1..<range.upperBound - 1)))
      case .number:
        return .number(Double(String(decoding: range.map { bytes[$0] }, as: UTF8.self)) ?? .infinity)
      case .true: return .bool(true)
      case .false: return .bool(false)
      default: return .null
      }
    }
  }

  /// A member of an object.
  subscript(_ key: StaticString) -> JSONTree? {
    guard case .object(let members) = self else { return nil }
    return members[Array(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))]
  }

  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var elements: [JSONTree]? { if case .array(let value) = self { value } else { nil } }
  var text: [UInt8]? { if case .string(let value) = self { value } else { nil } }
}
