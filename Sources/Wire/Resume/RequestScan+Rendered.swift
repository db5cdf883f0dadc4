extension RequestScan {
  /// The body for `POST /v1/completions` that asks an endpoint, which only continues text, to go on with an answer to this
  /// chat: the conversation written by the model's template, and behind it what was delivered. Slow, and only for an
  /// answer that was cut off.
  ///
  /// Of the parameters those stay that both kinds of request have and that do not change the form of the answer. The
  /// limit on output tokens becomes lower; without one it is null, since vLLM, like OpenAI, takes 16 for a missing one.
  /// The template's end of a message is one more `stop`. Blanks at the end of the text are left out (see ``Seam``).
  ///
  /// - Parameters:
  ///   - body: the bytes that were scanned.
  ///   - template: the form of the model that the endpoint serves.
  ///   - text: what was delivered, as ``DeliveredText`` has gathered it.
  ///   - generated: how many tokens that was.
  /// - Returns: the new body and its scan, which is one of a completion; `nil` when the request cannot be carried on in
  ///   this way: no token would be left, there is more than texts of system, user and assistant in it, it offers tools
  ///   or brings a template of its own, or a text holds a special token.
  public func rendered(
    _ body: Span<UInt8>, by template: ChatTemplate, continuing text: [UInt8], generated: Int
  ) -> (body: [UInt8], scan: RequestScan)? {
    // The members may have been let go of.
    var scanner = RequestScanner(kind: kind)
    guard kind == .chatCompletions, let scan = try? scanner.finish(body) else { return nil }
    let sent = Array(text[..<text.span.countWithoutTrailingBlanks])
    guard !template.holdsToken(sent.span) else { return nil }
    let limit = scan.maxOutputTokens.map { $0 - min(max(generated, 0), $0) }
    if limit == 0 { return nil }
    let output = body.withJSONBytes { bytes -> [UInt8]? in
      guard !scan.changesPrompt(bytes), let turns = try? scan.turns(bytes), let prompt = template.prompt(turns) else {
        return nil
      }
      return scan.completion(bytes, prompt: prompt + sent, limit: limit, end: template.end)
    }
    var again = RequestScanner(kind: .completions)
    guard let output, let scan = try? again.finish(output.span) else { return nil }
    return (output, scan)
  }

  private func completion(_ bytes: JSONBytes, prompt: [UInt8], limit: Int?, end: StaticString) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(prompt.count + 512)
    func copy(_ range: Range<Int>) {
      output.append(contentsOf: UnsafeBufferPointer(start: bytes.start + range.lowerBound, count: range.count))
    }
    JSONText.appendVerbatim(#"{"model":"#, to: &output)
    JSONText.append(modelName.span, to: &output)
    JSONText.appendVerbatim(#","prompt":"#, to: &output)
    JSONText.append(prompt.span, to: &output)
    for member in members where member.kind != .null {
      let key = JSONUnescaped(bytes, member.key)
      guard Self.kept.contains(where: { key.equals($0) }) else { continue }
      JSONText.appendVerbatim(",", to: &output)
      copy(member.key.lowerBound - 1..<member.key.upperBound + 1)
      JSONText.appendVerbatim(":", to: &output)
      copy(member.value)
    }
    JSONText.appendVerbatim(#","max_tokens":"#, to: &output)
    if let limit { JSONText.append(limit, to: &output) } else { JSONText.appendVerbatim("null", to: &output) }
    JSONText.appendVerbatim(#","stop":["#, to: &output)
    if let stop = members.first(where: { JSONUnescaped(bytes, $0.key).equals("stop") }),
      JSONCursor(bytes, depthLimit: 1).isFilled((stop.kind, stop.value)), stop.kind == .string || stop.kind == .array
    {
      copy(stop.kind == .string ? stop.value : stop.value.lowerBound + 1..<stop.value.upperBound - 1)
      JSONText.appendVerbatim(",", to: &output)
    }
    JSONText.appendVerbatim("\"", to: &output)
    JSONText.appendVerbatim(end, to: &output)
    JSONText.appendVerbatim(#""]}"#, to: &output)
    return output
  }

  private static let kept: [StaticString] = [
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "seed",
    "stream", "stream_options",
  ]

  /// Whether something beside the messages goes into the prompt, which only the chat's own endpoint knows to write.
  private func changesPrompt(_ bytes: JSONBytes) -> Bool {
    let names: [StaticString] = ["tools", "functions", "documents", "chat_template", "chat_template_kwargs"]
    return members.contains { member in
      let key = JSONUnescaped(bytes, member.key)
      return names.contains { key.equals($0) }
        && JSONCursor(bytes, depthLimit: 1).isFilled((member.kind, member.value))
    }
  }

  /// The messages; `nil` when one is more than text.
  private func turns(_ bytes: JSONBytes) throws(JSONFault) -> [ChatTemplate.Turn]? {
    guard let messages = members.first(where: { $0.routed == .messages })?.value else { return nil }
    var cursor = JSONCursor(bytes, position: messages.lowerBound, depthLimit: RequestScanner.depthLimit)
    guard try cursor.openArray() else { return nil }
    var turns: [ChatTemplate.Turn] = []
    repeat {
      guard let turn = try Self.turn(bytes, try cursor.value()) else { return nil }
      turns.append(turn)
    } while try cursor.hasNextElement()
    return turns
  }

  private static func turn(
    _ bytes: JSONBytes, _ message: (kind: JSONKind, range: Range<Int>)
  ) throws(JSONFault) -> ChatTemplate.Turn? {
    var cursor = JSONCursor(bytes, position: message.range.lowerBound, depthLimit: RequestScanner.depthLimit)
    guard message.kind == .object, try cursor.openObject() else { return nil }
    var role: ChatTemplate.Turn.Role?
    var parts: [[UInt8]]?
    repeat {
      let key = try cursor.key()
      let value = try cursor.value()
      if cursor.matches(key, "role") {
        let word = text(bytes, value).map { String(decoding: $0, as: UTF8.self) }
        role = word.flatMap(ChatTemplate.Turn.Role.init(rawValue:))
      } else if cursor.matches(key, "content") {
        parts = value.kind == .array ? try texts(bytes, value.range) : text(bytes, value).map { [$0] }
      } else if cursor.isFilled(value), !isCacheMark(cursor, key) {
        return nil
      }
    } while try cursor.hasNextMember()
    guard let role, let parts else { return nil }
    return ChatTemplate.Turn(role: role, parts: parts)
  }

  /// The texts of a content that is a list; `nil` when it holds anything else.
  private static func texts(_ bytes: JSONBytes, _ range: Range<Int>) throws(JSONFault) -> [[UInt8]]? {
    var cursor = JSONCursor(bytes, position: range.lowerBound, depthLimit: RequestScanner.depthLimit)
    guard try cursor.openArray() else { return nil }
    var texts: [[UInt8]] = []
    repeat {
      let part = try cursor.value()
      var inside = JSONCursor(bytes, position: part.range.lowerBound, depthLimit: RequestScanner.depthLimit)
      guard part.kind == .object, try inside.openObject() else { return nil }
      var isText = false
      var said: [UInt8]?
      repeat {
        let key = try inside.key()
        let value = try inside.value()
        if inside.matches(key, "type") {
          isText = text(bytes, value).map { $0.elementsEqual("text".utf8) } ?? false
        } else if inside.matches(key, "text") {
          said = text(bytes, value)
        } else if inside.isFilled(value), !isCacheMark(inside, key) {
          return nil
        }
      } while try inside.hasNextMember()
      guard isText, let said else { return nil }
      texts.append(said)
    } while try cursor.hasNextElement()
    return texts
  }

  private static func text(_ bytes: JSONBytes, _ value: (kind: JSONKind, range: Range<Int>)) -> [UInt8]? {
    guard value.kind == .string else { return nil }
    return Array(JSONUnescaped(bytes, value.range.lowerBound + 1..<value.range.upperBound - 1))
  }

  /// Marks of what to cache are no part of the prompt.
  private static func isCacheMark(_ cursor: JSONCursor, _ key: JSONCursor.Key) -> Bool {
    cursor.matches(key, "cache_control") || cursor.matches(key, "prompt_cache_breakpoint")
  }
}
