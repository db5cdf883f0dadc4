/// Values of one kind each, and the error that says what else was found.
extension ControlsReading {
  func models(_ value: Value) throws(RequestError) -> [String] {
    var models: [String] = []
    for (index, item) in try elements(of: value, "models", "models").enumerated() {
      models.append(try text(item, "models[\(index)]", limit: RequestScanner.modelLengthLimit))
    }
    return models
  }

  func slugs(_ value: Value, _ param: String) throws(RequestError) -> [String] {
    var slugs: [String] = []
    for (index, item) in try elements(of: value, param, "providers' slugs").enumerated() {
      slugs.append(try text(item, "\(param)[\(index)]", limit: Self.slugLimit).lowercased())
    }
    return slugs
  }

  func session(_ value: Value, _ param: String) throws(RequestError) -> String {
    let text = try text(value, param, limit: 4 * Self.sessionLimit)
    guard text.unicodeScalars.count <= Self.sessionLimit else {
      throw RequestError(
        .tooLong, param,
        "`\(param)` is longer than \(Self.sessionLimit) characters (byte \(value.range.lowerBound)).")
    }
    return text
  }

  func text(_ value: Value, _ param: String, limit: Int) throws(RequestError) -> String {
    guard value.kind == .string, value.range.count > 2 else {
      throw .wrongType(param, "a non-empty string", value.range.lowerBound)
    }
    var text: [UInt8] = []
    for byte in JSONUnescaped(bytes, value.range.lowerBound + 1..<value.range.upperBound - 1) {
      guard text.count < limit else {
        throw RequestError(
          .tooLong, param, "`\(param)` is longer than \(limit) bytes (byte \(value.range.lowerBound)).")
      }
      text.append(byte)
    }
    return String(decoding: text, as: UTF8.self)
  }

  func boolean(_ value: Value, _ param: String) throws(RequestError) -> Bool {
    guard value.kind == .true || value.kind == .false else {
      throw .wrongType(param, "true or false", value.range.lowerBound)
    }
    return value.kind == .true
  }

  /// One of a few words.
  func choice<Choice>(
    _ value: Value, _ param: String, _ words: [(String, Choice)]
  ) throws(RequestError) -> Choice {
    if value.kind == .string {
      let text = JSONUnescaped(bytes, value.range.lowerBound + 1..<value.range.upperBound - 1)
      for (word, choice) in words where text.elementsEqual(word.utf8) { return choice }
    }
    throw .wrongType(param, "one of \(words.map { "`\($0.0)`" }.joined(separator: ", "))", value.range.lowerBound)
  }

  func written(_ range: Range<Int>) -> String {
    String(decoding: range.map { bytes[$0] }, as: UTF8.self)
  }

  // MARK: lists and objects

  func elements(of value: Value, _ param: String, _ what: String) throws(RequestError) -> [Value] {
    guard value.kind == .array else { throw .wrongType(param, "an array of \(what)", value.range.lowerBound) }
    var elements: [Value] = []
    do throws(JSONFault) {
      var cursor = JSONCursor(bytes, position: value.range.lowerBound, depthLimit: RequestScanner.depthLimit)
      guard try cursor.openArray() else { return [] }
      repeat {
        elements.append(try cursor.value())
        if elements.count > Self.listLimit { break }
      } while try cursor.hasNextElement()
    } catch {
      throw RequestError(error)
    }
    guard elements.count <= Self.listLimit else {
      throw RequestError(
        .outOfRange, param, "`\(param)` has more than \(Self.listLimit) entries (byte \(value.range.lowerBound)).")
    }
    return elements
  }

  /// The members of an object by their names, each once.
  func members(of value: Value, _ param: String) throws(RequestError) -> [(name: String, value: Value)] {
    guard value.kind == .object else { throw .wrongType(param, "an object", value.range.lowerBound) }
    let shown = param.isEmpty ? nil : param
    var members: [(name: String, value: Value)] = []
    var twice: Int?
    do throws(JSONFault) {
      var cursor = JSONCursor(bytes, position: value.range.lowerBound, depthLimit: RequestScanner.depthLimit)
      guard try cursor.openObject() else { return [] }
      repeat {
        let key = try cursor.key()
        var name: [UInt8] = []
        for byte in JSONUnescaped(bytes, key.range) where name.count < 64 { name.append(byte) }
        let text = String(decoding: name, as: UTF8.self)
        if members.contains(where: { $0.name == text }) { twice = twice ?? key.range.lowerBound }
        members.append((text, try cursor.value()))
        if members.count > 32 { break }
      } while try cursor.hasNextMember()
    } catch {
      throw RequestError(error)
    }
    if let twice {
      throw RequestError(.duplicateKey, shown, "The key at byte \(twice) is there already; send each key once.")
    }
    guard members.count <= 32 else {
      throw RequestError(.tooManyKeys, shown, "An object of the controls has more than 32 keys; send fewer.")
    }
    return members
  }

  /// A member that nobody would heed is an error: a filter that is misspelt must not be no filter.
  func unknown(_ name: String, _ param: String, _ known: [String], at offset: Int) -> RequestError {
    let printable = name.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7f && $0 != "`" }
    let shown = printable ? name : "?"
    let path = param.isEmpty ? shown : "\(param).\(shown)"
    return RequestError(
      .wrongType, path,
      "`\(path)` is not known (byte \(offset)); the members are \(known.map { "`\($0)`" }.joined(separator: ", ")).")
  }
}
