/// How a model's conversation is written as one text, for endpoints that only continue text.
///
/// The forms are those of the models' own `chat_template`: `chatml` that of Qwen 2.5 (without the system message that it
/// puts where there is none), `llama3` that of Meta-Llama-3-Instruct, `gemma` that of gemma-3-it. What stands before all
/// else (`<|begin_of_text|>`, `<bos>`) the server adds to every prompt itself.
public enum ChatTemplate: String, Sendable, CaseIterable {
  case chatml, llama3, gemma

  /// One message of a conversation.
  struct Turn: Equatable {
    enum Role: String, CaseIterable { case system, user, assistant }
    var role: Role
    /// Its pieces of text, unescaped.
    var parts: [[UInt8]]
  }

  /// What stands behind each message; a text that is stopped there is whole.
  var end: StaticString {
    switch self {
    case .chatml: "<|im_end|>"
    case .llama3: "<|eot_id|>"
    case .gemma: "<end_of_turn>"
    }
  }

  /// The conversation up to where the assistant's next message begins.
  ///
  /// - Returns: `nil` when it cannot be written in this form, or a text in it would be read as a part of the form.
  func prompt(_ turns: [Turn]) -> [UInt8]? {
    var turns = turns[...]
    var prefix: [UInt8] = []
    if self == .gemma {
      // It knows no system message: the first user's begins with it. Users and assistants take turns.
      if let first = turns.first, first.role == .system {
        guard first.parts.count == 1 else { return nil }
        prefix = first.parts[0] + Array("\n\n".utf8)
        turns.removeFirst()
      }
      for (place, turn) in turns.enumerated() where turn.role != (place.isMultiple(of: 2) ? .user : .assistant) {
        return nil
      }
    }
    // Behind an assistant's message some servers begin another and some go on with it.
    guard let last = turns.last, last.role != .assistant else { return nil }
    var output: [UInt8] = []
    for turn in turns {
      append(header: turn.role, to: &output)
      let text = prefix + joined(turn.parts)
      guard !holdsToken(text.span) else { return nil }
      output += text
      prefix = []
      JSONText.appendVerbatim(end, to: &output)
      if self != .llama3 { output.append(UInt8(ascii: "\n")) }
    }
    append(header: .assistant, to: &output)
    return output
  }

  /// Whether a tokenizer would take something in this text for a special token.
  func holdsToken(_ text: Span<UInt8>) -> Bool {
    text.withJSONBytes { bytes in
      for index in 0..<max(bytes.count - 1, 0) where bytes[index] == UInt8(ascii: "<") {
        switch self {
        case .chatml, .llama3:
          // All of them have this form, and every model has more of them than its template uses.
          if bytes[index + 1] == UInt8(ascii: "|"), index + 2 < bytes.count,
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= bytes[index + 2] | 0x20
          {
            return true
          }
        case .gemma:
          for token in Self.gemmaTokens where bytes.count - index >= token.utf8CodeUnitCount {
            if bytes.equals(index..<index + token.utf8CodeUnitCount, token) { return true }
          }
        }
      }
      return false
    }
  }

  private static let gemmaTokens: [StaticString] = [
    "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<start_of_image>",
    "<end_of_image>", "<image_soft_token>",
  ]

  private func append(header role: Turn.Role, to output: inout [UInt8]) {
    switch self {
    case .chatml: output += Array("<|im_start|>\(role.rawValue)\n".utf8)
    case .llama3: output += Array("<|start_header_id|>\(role.rawValue)<|end_header_id|>\n\n".utf8)
    case .gemma: output += Array("<start_of_turn>\(role == .assistant ? "model" : "user")\n".utf8)
    }
  }

  /// Several pieces are lines, as vLLM and llama.cpp hand them to templates that know only one text; Gemma's own takes
  /// each as it is. Blanks around a text are left out where the template does so.
  private func joined(_ parts: [[UInt8]]) -> [UInt8] {
    switch self {
    case .chatml: Array(parts.joined(separator: [UInt8(ascii: "\n")]))
    case .llama3: Self.trimmed(Array(parts.joined(separator: [UInt8(ascii: "\n")])))
    case .gemma: Array(parts.map(Self.trimmed).joined())
    }
  }

  private static func trimmed(_ text: [UInt8]) -> [UInt8] {
    let end = text.span.countWithoutTrailingBlanks
    return Array(text[min(text.span.leadingBlanks, end)..<end])
  }
}
