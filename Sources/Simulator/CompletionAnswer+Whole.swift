import Loop

// The answer that is not streamed: one JSON object, `chat.completion` or `text_completion`.
extension CompletionAnswer {
  /// Makes the whole answer, once its time has come.
  mutating func produceWhole(into writer: inout AnswerWriter) -> Progress {
    if behaviour.endless || behaviour.hugeBytes != nil {
      beginHead(&writer)
      startWhole()
      startChoice(0)
      phase = .filler(behaviour.endless ? .max : behaviour.hugeBytes ?? 0)
      tokensSent = 1
      return put(&writer) ? .more : cut(&writer)
    }
    if behaviour.errorAt != nil {
      event.append("{\"error\":{\"message\":\"Simulated: the engine failed\",\"type\":\"server_error\",")
      event.append("\"param\":null,\"code\":502}}")
    } else {
      appendWhole()
    }
    if behaviour.malformedAt != nil { event.truncate(to: event.count * 2 / 3) }
    beginHead(&writer, length: behaviour.badChunk || behaviour.cut?.kind == .clean ? nil : event.count)
    if behaviour.badChunk {
      writer.output.append("zz\r\nnot a chunk\r\n")
      return .ended(.cut)
    }
    if behaviour.stallAt != nil {
      event.truncate(to: event.count / 2)
      return put(&writer) ? .silence : cut(&writer)
    }
    let isWhole = put(&writer)
    if isWhole, behaviour.errorAt == nil, behaviour.malformedAt == nil {
      finishSent = !behaviour.skipsFinish
      tokensSent = tokens * choices
      usageSent = behaviour.usage == .none || behaviour.usage == .notANumber ? nil : usageText
    }
    if !isWhole || behaviour.cut != nil { return cut(&writer) }
    writer.endBody()
    return .ended(.complete)
  }

  private mutating func appendWhole() {
    startWhole()
    for choice in 0..<choices {
      if choice > 0 { event.append(",") }
      startChoice(choice)
      appendContent(choice)
      if choice + 1 < choices { endChoice() }
    }
    tokensSent = tokens * choices
    endWhole()
    // Nothing is out yet.
    tokensSent = 0
  }

  private mutating func startWhole() {
    event.removeAll()
    event.append("{")
    appendIdentity(object: isChat ? "chat.completion" : "text_completion")
  }

  /// Up to the quote that opens the content of a text answer.
  private mutating func startChoice(_ choice: Int) {
    event.append("{\"index\":")
    event.append(decimal: choice)
    guard isChat else { return event.append(",\"text\":\"") }
    event.append(",\"message\":{\"role\":\"assistant\",")
    switch behaviour.content {
    case .text, .nothing, .textThenTool: event.append("\"content\":\"")
    case .reasoning: event.append("\"content\":null,\"reasoning_content\":\"")
    case .tool:
      event.append("\"content\":null,")
      startCall(choice)
    }
  }

  private mutating func startCall(_ choice: Int) {
    event.append("\"tool_calls\":[{\"id\":\"call_sim_")
    event.append(decimal: choice)
    event.append("\",\"type\":\"function\",\"function\":{\"name\":\"simulated_tool\",\"arguments\":\"")
  }

  /// The content, and all up to the end of the message.
  private mutating func appendContent(_ choice: Int) {
    if choice == 0 { event.append(echo) }
    var isCalling = behaviour.content == .tool && isChat
    for index in 0..<tokens {
      if beginning.tokens + index < toolStart {
        appendToken(index, of: choice)
        continue
      }
      if !isCalling {
        event.append("\",")
        startCall(choice)
        isCalling = true
      }
      appendArgument(index, of: choice)
    }
    if isCalling { return event.append("\"}}]}") }
    event.append(isChat ? "\"}" : "\"")
  }

  private mutating func endChoice() {
    if behaviour.usage == .decoy {
      event.append(",\"simulated\":{\"usage\":{\"prompt_tokens\":999999,\"completion_tokens\":999999}}")
    }
    event.append(",\"logprobs\":null,\"finish_reason\":")
    if behaviour.skipsFinish {
      event.append("null}")
    } else {
      event.append("\"")
      event.append(finishReason)
      event.append("\"}")
    }
  }

  /// The end of the last choice, and of the whole.
  mutating func endWhole() {
    endChoice()
    event.append("]")
    if behaviour.usage != .none {
      event.append(",\"usage\":")
      event.append(usageText)
    }
    event.append("}")
  }
}
