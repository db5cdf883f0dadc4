extension RequestScanner {
  /// Turns the members that were found into what routing needs.
  func interpret(_ bytes: JSONBytes) throws(RequestError) -> RequestScan {
    var scan = RequestScan(kind: kind, afterBrace: afterBrace, bodyLength: bytes.count)
    var choices = 1
    var prompts: Int?
    var hasMessages = false
    var maxTokens: Int?
    var maxCompletionTokens: Int?
    var tools: Range<Int>?
    var asksOfChoice = false
    scan.members = members
    for member in members {
      scan.parameters.formUnion(member.parameter)
      switch member.routed {
      case .model:
        scan.modelRange = member.value
        scan.modelName = try modelName(bytes, member)
      case .stream: scan.stream = try boolean(member, "stream")
      case .streamOptions: scan.streamOptions = try streamOptions(bytes, member)
      case .messages where kind == .chatCompletions: hasMessages = try messages(bytes, member)
      case .prompt where kind == .completions: prompts = try promptCount(bytes, member)
      case .choices: choices = try integer(bytes, member, 1...128) ?? 1
      case .maxTokens: maxTokens = try integer(bytes, member, 1...Int.max)
      case .maxCompletionTokens: maxCompletionTokens = try integer(bytes, member, 1...Int.max)
      case .tools:
        let isFilled = member.kind == .array && JSONCursor(bytes, depthLimit: 1).isFilled((.array, member.value))
        if isFilled { tools = member.value }
      case .models, .provider, .route, .sessionID, .serviceTier, .preset, .promptCacheKey:
        if member.routed?.isForRouterOnly == true { scan.hasRouterMembers = true }
        if member.kind != .null { asksOfChoice = true }
      case .responseFormat where member.parameter.isEmpty: scan.hasOtherFormat = asksForOtherFormat(bytes, member)
      default: break
      }
    }
    if asksOfChoice { scan.controls = try controls(bytes) }
    if scan.modelName.isEmpty, let first = scan.controls?.models.first {
      // OpenRouter's list may stand alone; its first is then the model.
      scan.modelName = Array(first.utf8)
      scan.modelRange = afterBrace..<afterBrace
      scan.controls?.models.removeFirst()
    }
    guard !scan.modelName.isEmpty else { throw missing("model", "name one of the models that GET /v1/models lists") }
    switch kind {
    case .chatCompletions:
      guard hasMessages else { throw missing("messages", "send the conversation as an array of messages") }
    case .completions:
      guard prompts != nil else { throw missing("prompt", "send the text to complete") }
    }
    let (count, overflows) = choices.multipliedReportingOverflow(by: prompts ?? 1)
    guard !overflows, count <= RequestScan.choiceLimit else {
      throw RequestError(
        .outOfRange, "n", "`n` times the number of prompts must be at most \(RequestScan.choiceLimit); ask for fewer.")
    }
    scan.choiceCount = count
    scan.maxOutputTokens = maxCompletionTokens ?? maxTokens
    scan.modalities = prompt.modalities
    scan.mediaCount = prompt.mediaCount
    scan.mediaBytes = prompt.mediaBytes
    scan.hasReasoningSignatures = prompt.hasReasoningSignatures
    scan.hasCacheMarkers = prompt.hasCacheMarkers
    if hasMessages { scan.conversation = prompt.conversation(bytes, tools: tools) }
    return scan
  }

  /// Which parameter a member is; none when it is null.
  static func parameter(_ bytes: JSONBytes, _ member: Member) -> ParameterSet {
    guard member.kind != .null else { return [] }
    guard member.routed == .responseFormat else { return ParameterNames.shared.parameter(bytes, member) }
    guard member.kind == .object else { return [] }
    var cursor = JSONCursor(bytes, position: member.value.lowerBound, depthLimit: Self.depthLimit)
    var format: ParameterSet = []
    do throws(JSONFault) {
      guard try cursor.openObject() else { return [] }
      repeat {
        let key = try cursor.key()
        let (kind, value) = try cursor.value()
        guard cursor.matches(key, "type"), kind == .string else { continue }
        let text = JSONUnescaped(bytes, value.lowerBound + 1..<value.upperBound - 1)
        format = text.equals("json_schema") ? .structuredOutputs : text.equals("json_object") ? .responseFormat : []
      } while try cursor.hasNextMember()
      return format
    } catch {
      // The scanner has passed over it: there is no fault.
      return []
    }
  }

  /// Whether a `response_format` that is neither JSON nor a schema is no text either.
  private func asksForOtherFormat(_ bytes: JSONBytes, _ member: Member) -> Bool {
    guard member.kind == .object else { return member.kind != .null }
    var cursor = JSONCursor(bytes, position: member.value.lowerBound, depthLimit: Self.depthLimit)
    do throws(JSONFault) {
      guard try cursor.openObject() else { return false }
      repeat {
        let key = try cursor.key()
        let (kind, value) = try cursor.value()
        guard cursor.matches(key, "type") else { continue }
        return kind != .string
          || !JSONUnescaped(bytes, value.lowerBound + 1..<value.upperBound - 1).equals("text")
      } while try cursor.hasNextMember()
    } catch {
      // The scanner has passed over it: there is no fault.
    }
    return true
  }

  /// What the members that are there ask of the choice.
  private func controls(_ bytes: JSONBytes) throws(RequestError) -> RequestControls? {
    var reading = ControlsReading(bytes)
    for member in members {
      guard let routed = member.routed else { continue }
      try reading.read(routed, (member.kind, member.value))
    }
    let controls = reading.finish()
    return controls.isEmpty ? nil : controls
  }

  private func missing(_ param: String, _ advice: String) -> RequestError {
    RequestError(.missing, param, "`\(param)` is missing; \(advice).")
  }

  private func wrongType(_ param: String, _ expected: String, _ offset: Int) -> RequestError {
    .wrongType(param, expected, offset)
  }

  private func modelName(_ bytes: JSONBytes, _ member: Member) throws(RequestError) -> [UInt8] {
    let value = member.value
    guard member.kind == .string, value.count > 2 else {
      throw wrongType("model", "a non-empty string", value.lowerBound)
    }
    var name: [UInt8] = []
    name.reserveCapacity(min(value.count, Self.modelLengthLimit))
    for byte in JSONUnescaped(bytes, value.lowerBound + 1..<value.upperBound - 1) {
      guard name.count < Self.modelLengthLimit else {
        throw RequestError(
          .tooLong, "model", "`model` is longer than \(Self.modelLengthLimit) bytes (byte \(value.lowerBound)).")
      }
      name.append(byte)
    }
    return name
  }

  private func boolean(_ member: Member, _ param: String) throws(RequestError) -> Bool {
    switch member.kind {
    case .true: return true
    case .false, .null: return false
    default: throw wrongType(param, "true or false", member.value.lowerBound)
    }
  }

  private func integer(
    _ bytes: JSONBytes, _ member: Member, _ range: ClosedRange<Int>
  ) throws(RequestError) -> Int? {
    let param = member.routed.map { "\($0.name)" } ?? ""
    let upper = range.upperBound == Int.max ? "up" : "to \(range.upperBound)"
    let expected = "a whole number from \(range.lowerBound) \(upper)"
    if member.kind == .null { return nil }
    guard member.kind == .number, bytes.isInteger(member.value) else {
      throw wrongType(param, expected, member.value.lowerBound)
    }
    guard let value = bytes.wholeNumber(member.value).flatMap(Int.init(exactly:)), range.contains(value) else {
      throw RequestError(.outOfRange, param, "`\(param)` must be \(expected) (byte \(member.value.lowerBound)).")
    }
    return value
  }

  private func messages(_ bytes: JSONBytes, _ member: Member) throws(RequestError) -> Bool {
    guard member.kind == .array, JSONCursor(bytes, depthLimit: 1).isFilled((.array, member.value)) else {
      throw wrongType("messages", "a non-empty array of messages", member.value.lowerBound)
    }
    return true
  }

  private func streamOptions(
    _ bytes: JSONBytes, _ member: Member
  ) throws(RequestError) -> RequestScan.StreamOptions {
    if member.kind == .null { return .null(member.value) }
    guard member.kind == .object else {
      throw wrongType("stream_options", "an object or null", member.value.lowerBound)
    }
    do {
      var options = RequestScan.StreamOptions.Object(range: member.value)
      var cursor = JSONCursor(bytes, position: member.value.lowerBound, depthLimit: Self.depthLimit)
      guard try cursor.openObject() else { return .object(options) }
      options.isEmpty = false
      var keys: [JSONCursor.Key] = []
      repeat {
        let key = try cursor.key()
        let (kind, value) = try cursor.value()
        try add(bytes, key, to: &keys)
        guard cursor.matches(key, "include_usage") else { continue }
        guard kind == .true || kind == .false || kind == .null else {
          throw wrongType("stream_options.include_usage", "true or false", value.lowerBound)
        }
        options.includeUsage = value
        options.asksUsage = kind == .true
      } while try cursor.hasNextMember()
      return .object(options)
    } catch let error as RequestError {
      throw error
    } catch let fault as JSONFault {
      throw RequestError(fault)
    } catch {
      throw wrongType("stream_options", "an object or null", member.value.lowerBound)
    }
  }

  private func add(
    _ bytes: JSONBytes, _ key: JSONCursor.Key, to keys: inout [JSONCursor.Key]
  ) throws(RequestError) {
    guard keys.count < 16 else {
      throw RequestError(.tooManyKeys, "stream_options", "`stream_options` has more than 16 keys; send fewer.")
    }
    for other in keys
    where JSONUnescaped(bytes, other.range).elementsEqual(JSONUnescaped(bytes, key.range)) {
      throw RequestError(
        .duplicateKey, "stream_options",
        "The key at byte \(key.range.lowerBound) is already in `stream_options`; send each key once.")
    }
    let name = JSONUnescaped(bytes, key.range)
    if !name.equals("include_usage"), name.equalsFolded("include_usage") {
      throw RequestError(
        .ambiguousKey, "stream_options.include_usage",
        "The key at byte \(key.range.lowerBound) differs from `include_usage` only in case; write `include_usage`.")
    }
    keys.append(key)
  }

  /// How many prompts a completions request holds: a text, texts, token numbers, or lists of token numbers.
  private func promptCount(_ bytes: JSONBytes, _ member: Member) throws(RequestError) -> Int {
    let expected = "a string, or an array of strings, of token numbers or of arrays of token numbers, and not empty"
    if member.kind == .string { return 1 }
    let refusal = wrongType("prompt", expected, member.value.lowerBound)
    guard member.kind == .array else { throw refusal }
    do {
      var cursor = JSONCursor(bytes, position: member.value.lowerBound, depthLimit: Self.depthLimit)
      guard try cursor.openArray() else { throw refusal }
      var count = 0
      var first: JSONKind?
      repeat {
        if try cursor.peek() == UInt8(ascii: "[") {
          guard first == nil || first == .array, try cursor.openArray() else { throw refusal }
          first = .array
          repeat {
            let (kind, value) = try cursor.value()
            guard kind == .number, bytes.wholeNumber(value) != nil else { throw refusal }
          } while try cursor.hasNextElement()
        } else {
          let (kind, value) = try cursor.value()
          guard first == nil || first == kind else { throw refusal }
          guard kind == .string || kind == .number && bytes.wholeNumber(value) != nil else { throw refusal }
          first = kind
        }
        count += 1
      } while try cursor.hasNextElement()
      return first == .number ? 1 : count
    } catch let fault as JSONFault {
      throw RequestError(fault)
    } catch {
      throw refusal
    }
  }
}
