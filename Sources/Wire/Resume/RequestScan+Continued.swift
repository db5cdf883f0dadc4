extension RequestScan {
  /// Whether an answer to this request can be carried on by another endpoint at all: a stream of one choice in free
  /// text. To be asked before ``forgetMembers()``; afterwards it is false.
  public var isResumable: Bool {
    guard stream, choiceCount == 1, !members.isEmpty, !hasOtherFormat else { return false }
    guard parameters.isDisjoint(with: [.responseFormat, .structuredOutputs]) else { return false }
    return !members.contains { member in
      member.routed == nil && member.kind != .null && member.kind != .false && Self.binding.contains(member.hash)
    }
  }

  /// Hashes of members that bind the answer to a form or to a whole, or that want more than its text: half an answer
  /// could not be gone on with.
  private static let binding = Set(
    [
      "logprobs", "top_logprobs", "prompt_logprobs", "echo", "suffix", "best_of", "use_beam_search",
      "grammar", "json_schema", "regex", "ebnf", "structural_tag", "structured_outputs", "guided_json", "guided_regex",
      "guided_choice", "guided_grammar", "guided_whitespace_pattern",
    ].map { name in name.utf8.reduce(RequestScanner.hashStart) { RequestScanner.hash($0, $1) } })

  /// The body that asks an endpoint to go on with an answer whose beginning its client has got already. Slow, and only
  /// for an answer that was cut off.
  ///
  /// Chat: an assistant's message with the text is added behind the messages; when the last one is an assistant's
  /// already, its text becomes longer. Completions: the prompt becomes longer. The limits on output tokens become
  /// lower. Blanks at the end of the text are left out (see ``Seam``), and with nothing left only the limits change.
  ///
  /// Wire formats: `continue_final_message` and `add_generation_prompt` as in vLLM's and SGLang's
  /// `ChatCompletionRequest`; both true at once is an error there.
  ///
  /// - Parameters:
  ///   - body: the bytes that were scanned.
  ///   - text: what was delivered, as ``DeliveredText`` has gathered it.
  ///   - generated: how many tokens that was.
  /// - Returns: the new body and its scan; `nil` when the request cannot be carried on in this way: no token would be
  ///   left, the prompt is no single text, the last message is an assistant's and no plain text, or chat is to be carried
  ///   on by a longer prompt.
  public func continued(
    _ body: Span<UInt8>, by text: [UInt8], generated: Int, as continuation: Continuation
  ) -> (body: [UInt8], scan: RequestScan)? {
    // The members may have been let go of.
    var scanner = RequestScanner(kind: kind)
    guard kind == .completions || continuation != .completion, let scan = try? scanner.finish(body) else { return nil }
    let sent = Array(text[..<text.span.countWithoutTrailingBlanks])
    let edits = body.withJSONBytes { bytes -> [ContinuationEdit]? in
      guard var edits = scan.loweredLimits(bytes, by: max(generated, 0)) else { return nil }
      if sent.isEmpty { return edits }
      do throws(JSONFault) {
        switch kind {
        case .chatCompletions:
          guard let edit = try scan.lengthenedMessages(bytes, by: sent) else { return nil }
          edits.append(edit)
          if continuation == .continueFinalMessage { edits += scan.finalMessageFlags(bytes) }
        case .completions:
          guard let edit = try scan.lengthenedPrompt(bytes, by: sent) else { return nil }
          edits.append(edit)
        }
      } catch {
        return nil
      }
      return edits
    }
    guard var edits else { return nil }
    // Stable: two insertions at one place keep their order.
    edits.sort { $0.range.lowerBound < $1.range.lowerBound }
    var output: [UInt8] = []
    output.reserveCapacity(body.count + sent.count + 128)
    var position = 0
    for edit in edits {
      body.extracting(position..<edit.range.lowerBound).withUnsafeBufferPointer { output.append(contentsOf: $0) }
      output += edit.text
      position = edit.range.upperBound
    }
    body.extracting(position..<body.count).withUnsafeBufferPointer { output.append(contentsOf: $0) }
    var again = RequestScanner(kind: kind)
    guard let scan = try? again.finish(output.span) else { return nil }
    return (output, scan)
  }

  /// What stands in the body instead of one range of it; an empty range is an insertion.
  private struct ContinuationEdit {
    var range: Range<Int>
    var text: [UInt8]
  }

  /// - Returns: `nil` when nothing may be generated any more.
  private func loweredLimits(_ bytes: JSONBytes, by generated: Int) -> [ContinuationEdit]? {
    var edits: [ContinuationEdit] = []
    guard generated > 0 else { return edits }
    for member in members where member.routed == .maxTokens || member.routed == .maxCompletionTokens {
      guard member.kind == .number, let limit = bytes.wholeNumber(member.value) else { continue }
      guard limit > generated else { return nil }
      edits.append(ContinuationEdit(range: member.value, text: Array(String(limit - Int64(generated)).utf8)))
    }
    return edits
  }

  private func lengthenedMessages(_ bytes: JSONBytes, by text: [UInt8]) throws(JSONFault) -> ContinuationEdit? {
    guard let messages = members.first(where: { $0.routed == .messages })?.value else { return nil }
    var cursor = JSONCursor(bytes, position: messages.lowerBound, depthLimit: RequestScanner.depthLimit)
    guard try cursor.openArray() else { return nil }
    var last: (kind: JSONKind, range: Range<Int>)
    repeat { last = try cursor.value() } while try cursor.hasNextElement()
    guard last.kind == .object else { return nil }

    var inside = JSONCursor(bytes, position: last.range.lowerBound, depthLimit: RequestScanner.depthLimit)
    var isAssistant = false
    var hasCalls = false
    var content: (kind: JSONKind, range: Range<Int>)?
    if try inside.openObject() {
      repeat {
        let key = try inside.key()
        let value = try inside.value()
        if inside.matches(key, "role"), value.kind == .string {
          let role = JSONUnescaped(bytes, value.range.lowerBound + 1..<value.range.upperBound - 1)
          isAssistant = role.equals("assistant")
        } else if inside.matches(key, "content") {
          content = value
        } else if inside.matches(key, "tool_calls") || inside.matches(key, "function_call") {
          hasCalls = inside.isFilled(value)
        }
      } while try inside.hasNextMember()
    }
    guard isAssistant else {
      var message: [UInt8] = []
      message.reserveCapacity(text.count + 48)
      JSONText.appendVerbatim(#",{"role":"assistant","content":"#, to: &message)
      JSONText.append(text.span, to: &message)
      message.append(UInt8(ascii: "}"))
      return ContinuationEdit(range: last.range.upperBound..<last.range.upperBound, text: message)
    }
    guard !hasCalls, let content, content.kind == .string else { return nil }
    return Self.lengthened(content.range, by: text)
  }

  private func lengthenedPrompt(_ bytes: JSONBytes, by text: [UInt8]) throws(JSONFault) -> ContinuationEdit? {
    guard let prompt = members.first(where: { $0.routed == .prompt }) else { return nil }
    if prompt.kind == .string { return Self.lengthened(prompt.value, by: text) }
    var cursor = JSONCursor(bytes, position: prompt.value.lowerBound, depthLimit: RequestScanner.depthLimit)
    guard prompt.kind == .array, try cursor.openArray() else { return nil }
    let first = try cursor.value()
    guard first.kind == .string, try !cursor.hasNextElement() else { return nil }
    return Self.lengthened(first.range, by: text)
  }

  /// Puts a text before the closing quote of a string.
  private static func lengthened(_ string: Range<Int>, by text: [UInt8]) -> ContinuationEdit {
    var quoted: [UInt8] = []
    JSONText.append(text.span, to: &quoted)
    return ContinuationEdit(
      range: string.upperBound - 1..<string.upperBound, text: Array(quoted.dropFirst()))
  }

  /// `continue_final_message` true and `add_generation_prompt` false, in place of what the client said of them.
  private func finalMessageFlags(_ bytes: JSONBytes) -> [ContinuationEdit] {
    let flags: [(StaticString, StaticString)] = [
      ("continue_final_message", "true"), ("add_generation_prompt", "false"),
    ]
    return flags.map { name, value in
      var text: [UInt8] = []
      if let member = members.first(where: { JSONUnescaped(bytes, $0.key).equals(name) }) {
        JSONText.appendVerbatim(value, to: &text)
        return ContinuationEdit(range: member.value, text: text)
      }
      text.append(UInt8(ascii: "\""))
      JSONText.appendVerbatim(name, to: &text)
      JSONText.appendVerbatim("\":", to: &text)
      JSONText.appendVerbatim(value, to: &text)
      text.append(UInt8(ascii: ","))
      return ContinuationEdit(range: afterBrace..<afterBrace, text: text)
    }
  }
}
