/// What is wrong with a text that should be JSON (RFC 8259), and where.
struct JSONFault: Error, Equatable {
  enum Reason: UInt8 {
    /// The bytes end inside the text. `offset` is where reading goes on once more bytes are there.
    case unexpectedEnd
    case expectedValue, expectedKey, expectedColon, expectedComma
    case invalidLiteral, invalidNumber, controlCharacter, invalidEscape, loneSurrogate, invalidUTF8
    case trailingBytes, depthExceeded
    /// The JSON is right but not what this place must hold.
    case unexpectedShape
  }

  let reason: Reason
  let offset: Int

  init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  /// A sentence's middle: "<what> at byte n".
  var what: String {
    switch reason {
    case .unexpectedEnd: "the text ends in the middle of a value"
    case .expectedValue: "a value was expected"
    case .expectedKey: "a key in double quotes was expected"
    case .expectedColon: "a colon was expected after the key"
    case .expectedComma: "a comma or a closing bracket was expected"
    case .invalidLiteral: "this is neither true, false, null nor another JSON value"
    case .invalidNumber: "this is not a JSON number"
    case .controlCharacter: "a control character stands unescaped in a string"
    case .invalidEscape: "this escape does not exist in JSON"
    case .loneSurrogate: "half of a surrogate pair stands alone"
    case .invalidUTF8: "the bytes are not UTF-8"
    case .trailingBytes: "something follows the end of the object"
    case .depthExceeded: "arrays and objects are nested too deeply"
    case .unexpectedShape: "another kind of value belongs here"
    }
  }
}

/// The seven kinds of JSON value, told apart by their first byte.
enum JSONKind: UInt8 {
  case object, array, string, number, `true`, `false`, null
}
