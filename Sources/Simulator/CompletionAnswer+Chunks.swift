import Loop

// The events of a stream: `chat.completion.chunk` and the streamed `text_completion` of OpenAI's API reference.
extension CompletionAnswer {
  /// The response head, interim responses before it, and what it says of the body.
  ///
  /// - Parameter length: of a body that is known whole; `nil` for chunks.
  mutating func beginHead(_ writer: inout AnswerWriter, length: Int? = nil) {
    for _ in 0..<behaviour.informational {
      writer.output.append("HTTP/1.1 103 Early Hints\r\nLink: </simulated>\r\n\r\n")
    }
    if behaviour.switchesProtocols {
      writer.output.append("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: simulated\r\n\r\n")
    }
    writer.output.append("HTTP/1.1 200 OK\r\nX-Simulated: ")
    writer.output.append(provider)
    writer.output.append("\r\nContent-Type: ")
    writer.output.append(isStreamed ? "text/event-stream; charset=utf-8\r\n" : "application/json\r\n")
    for number in 0..<behaviour.extraFields {
      writer.output.append("X-Simulated-Field-")
      writer.output.append(decimal: number)
      writer.output.append(": one of many\r\n")
    }
    if behaviour.fieldBytes > 0 {
      writer.output.append("X-Simulated-Long: ")
      writer.output.append([UInt8](repeating: UInt8(ascii: "x"), count: behaviour.fieldBytes))
      writer.output.append("\r\n")
    }
    if behaviour.bothLengths { writer.output.append("Content-Length: 16\r\n") }
    if behaviour.closeDelimited || length == nil && !mayChunk {
      writer.framing = .untilClose
      writer.output.append("Connection: close\r\n")
    } else if let length, !behaviour.bothLengths {
      writer.framing = .length
      writer.output.append("Content-Length: ")
      writer.output.append(decimal: length)
      writer.output.append("\r\n")
    } else {
      writer.framing = .chunked
      writer.output.append("Transfer-Encoding: chunked\r\n")
    }
    writer.output.append("\r\n")
    writer.bodyLimit = behaviour.cut?.at ?? .max
    writer.cutsInsideChunk = behaviour.cut?.kind == .insideChunk
  }

  // MARK: - Events

  /// Starts an event, up to and with the opening bracket of `choices`.
  private mutating func startEvent() {
    event.removeAll()
    event.append(eventStart)
    appendIdentity(object: isChat ? "chat.completion.chunk" : "text_completion")
  }

  mutating func appendIdentity(object: StaticString) {
    event.append("\"id\":")
    event.append(identifier)
    event.append(",\"object\":\"")
    event.append(object)
    event.append("\",\"created\":")
    event.append(decimal: Int(created))
    event.append(",\"model\":\"")
    event.append(model)
    event.append("\",\"system_fingerprint\":\"simulated\",\"choices\":[")
  }

  /// Starts an event of one choice: its `delta` or `text` follows.
  mutating func startChunk(_ choice: Int) {
    startEvent()
    event.append("{\"index\":")
    event.append(decimal: choice)
    event.append(",")
  }

  /// Ends an event of one choice and sends it.
  ///
  /// - Returns: false when the body was cut within it.
  mutating func endChunk(_ writer: inout AnswerWriter, finish: StaticString? = nil) -> Bool {
    if behaviour.usage == .decoy {
      event.append(",\"simulated\":{\"usage\":{\"prompt_tokens\":999999,\"completion_tokens\":999999}}")
    }
    event.append(",\"logprobs\":null,\"finish_reason\":")
    if let finish {
      event.append("\"")
      event.append(finish)
      event.append("\"}]")
    } else {
      event.append("null}]")
    }
    var usage: String?
    if behaviour.usage == .everyChunk || behaviour.usage == .onFinish && finish != nil {
      let text = usageText
      usage = text
      event.append(",\"usage\":")
      event.append(text)
    } else if wantsUsage, behaviour.usage == .plain {
      event.append(",\"usage\":null")
    }
    event.append(eventClose)
    event.append(lineEnd)
    guard put(&writer) else { return false }
    if let usage { usageSent = usage }
    return true
  }

  /// The event of one token.
  mutating func putToken(_ index: Int, of choice: Int) {
    startChunk(choice)
    guard isChat else {
      event.append("\"text\":\"")
      appendToken(index, of: choice)
      return event.append("\"")
    }
    switch behaviour.content {
    case .reasoning:
      event.append("\"delta\":{\"reasoning_content\":\"")
      appendToken(index, of: choice)
      event.append("\"}")
    case .text, .nothing, .tool, .textThenTool:
      if beginning.tokens + index < toolStart {
        event.append("\"delta\":{\"content\":\"")
        appendToken(index, of: choice)
        return event.append("\"}")
      }
      event.append("\"delta\":{\"tool_calls\":[{\"index\":0,")
      if beginning.tokens + index == toolStart {
        event.append("\"id\":\"call_sim_")
        event.append(decimal: choice)
        event.append("\",\"type\":\"function\",\"function\":{\"name\":\"simulated_tool\",\"arguments\":\"")
      } else {
        event.append("\"function\":{\"arguments\":\"")
      }
      appendArgument(index, of: choice)
      event.append("\"}}]}")
    }
  }

  /// One token of this answer, or what the request does not hold of it yet.
  mutating func appendToken(_ index: Int, of choice: Int) {
    let token = SimulatedText.token(
      beginning.tokens + index, seed: seed &+ UInt64(choice), isForeign: behaviour.writes == .splitCharacters)
    guard index == 0, beginning.bytes > 0 else { return event.append(token) }
    let whole = UnsafeRawBufferPointer(start: token.utf8Start, count: token.utf8CodeUnitCount)
    event.append(UnsafeRawBufferPointer(rebasing: whole[beginning.bytes...]))
  }

  /// A piece of a tool call's arguments: `{"note":"…"}`, as content of a JSON string.
  mutating func appendArgument(_ index: Int, of choice: Int) {
    if beginning.tokens + index == toolStart {
      event.append("{\\\"note\\\":\\\"")
    } else if index == tokens - 1 {
      event.append("\\\"}")
    } else {
      appendToken(index, of: choice)
    }
  }

  /// - Parameter isDispatched: false leaves out the blank line that would complete the event.
  mutating func putUsageChunk(_ writer: inout AnswerWriter, isDispatched: Bool = true) -> Bool {
    let usage = usageText
    startEvent()
    event.append("],\"usage\":")
    event.append(usage)
    event.append(eventClose)
    if isDispatched { event.append(lineEnd) }
    guard put(&writer) else { return false }
    usageSent = behaviour.usage == .notANumber ? nil : usage
    return true
  }

  mutating func putComment(_ writer: inout AnswerWriter) -> Bool {
    put(": simulated keep-alive\(lineEnd)\(lineEnd)", &writer)
  }

  mutating func putError(_ writer: inout AnswerWriter) -> Bool {
    event.removeAll()
    event.append(eventStart)
    event.append("\"error\":{\"message\":\"Simulated: the engine failed\",\"type\":\"server_error\",")
    event.append("\"param\":null,\"code\":502}")
    event.append(eventClose)
    event.append(lineEnd)
    return put(&writer)
  }

  mutating func putMalformed(_ writer: inout AnswerWriter) -> Bool {
    startChunk(0)
    event.append("\"delta\":{\"content\":\" bro")
    event.append(lineEnd)
    event.append(lineEnd)
    return put(&writer)
  }

  /// Sends what stands in `event`.
  mutating func put(_ writer: inout AnswerWriter) -> Bool { writer.body(event) }

  mutating func put(_ text: String, _ writer: inout AnswerWriter) -> Bool {
    event.removeAll()
    event.append(text)
    return put(&writer)
  }

  // MARK: - Usage

  /// The value of `usage` in the shape that was asked for.
  var usageText: String {
    func counts(_ value: String) -> String {
      "{\"prompt_tokens\":\(value),\"completion_tokens\":\(value),\"total_tokens\":\(value)}"
    }
    switch behaviour.usage {
    case .zero: return counts("0")
    case .null: return "null"
    case .negative: return counts("-5")
    case .huge: return counts("9223372036854775808")
    case .string: return counts("\"12\"")
    case .float: return counts("12.5")
    case .exponent: return counts("1e308")
    case .notANumber: return counts("NaN")
    case .nested: return counts("{\"count\":12}")
    case .plain, .none, .decoy, .everyChunk, .onFinish, .afterDone, .twice, .trailing:
      let reasoning = behaviour.content == .reasoning && isChat ? tokensSent : 0
      return "{\"prompt_tokens\":\(promptTokens),\"completion_tokens\":\(tokensSent),"
        + "\"total_tokens\":\(promptTokens + tokensSent),\"prompt_tokens_details\":{\"cached_tokens\":0},"
        + "\"completion_tokens_details\":{\"reasoning_tokens\":\(reasoning)}}"
    }
  }
}
