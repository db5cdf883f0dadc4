import HTTP
import Loop

// What a whole request is answered with.
extension SimulatedConnection {
  private enum Target {
    case chat(provider: Int)
    case text(provider: Int)
    case models
    case wrongMethod
    case unknown
  }

  /// The request is whole: decides on the answer and makes its start.
  func begin() {
    state = .answering
    writer.reset()
    answer = nil
    ending = nil
    behaviour = nil
    switch headBytes.withSpan({ target($0) }) {
    case .chat(let provider): complete(isChat: true, provider: provider)
    case .text(let provider): complete(isChat: false, provider: provider)
    case .models: respond(200, "application/json", Self.models)
    case .wrongMethod: fail(405, "this path is asked by another method")
    case .unknown: fail(404, "no such path; there are /v1/chat/completions, /v1/completions and /v1/models")
    }
  }

  private func target(_ bytes: Span<UInt8>) -> Target {
    let path = head.path
    func splits(_ suffix: StaticString) -> Int? {
      let start = path.upperBound - suffix.utf8CodeUnitCount
      guard start >= path.lowerBound, bytes.equals(start..<path.upperBound, suffix) else { return nil }
      return provider(bytes, path.lowerBound..<start)
    }
    if let provider = splits("/v1/chat/completions") {
      return head.method == .post ? .chat(provider: provider) : .wrongMethod
    }
    if let provider = splits("/v1/completions") {
      return head.method == .post ? .text(provider: provider) : .wrongMethod
    }
    if splits("/v1/models") != nil { return head.method == .get ? .models : .wrongMethod }
    return .unknown
  }

  /// The provider that a path's first part names: none is the first.
  private func provider(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
    if range.isEmpty { return 0 }
    let name = bytes.extracting(range.dropFirst())
    return server.providers.firstIndex { provider in
      let known = provider.name.utf8
      return known.count == name.count && known.enumerated().allSatisfy { name[$0.offset] == $0.element }
    }
  }

  private func complete(isChat: Bool, provider: Int) {
    guard let request = body.withSpan({ SimulatedRequest($0) }) else {
      return fail(400, "the body is not a JSON object with a model and messages (or a prompt)")
    }
    let model = body.withBytes { [UInt8]($0[request.model]) }
    openRecord(model: model, provider: provider)
    if isStale {
      ending = .stale
      return end(.stale, bytes: 0)
    }
    guard var behaviour = server.behaviour(String(decoding: model, as: UTF8.self))?.at(loop.wallMilliseconds) else {
      return fail(404, "the model is not known here; its name must be sim, and words of the list behind dashes")
    }
    let beginning = body.withSpan { bytes in
      AnswerBeginning(request, bytes, isChat: isChat, isForeign: behaviour.writes == .splitCharacters)
    }
    let name = model.reduce(UInt64(provider)) { SimulatedText.mix($0 ^ UInt64($1)) }
    if let limit = behaviour.concurrency {
      guard server.tally.enter(name, limit: limit) else {
        return fail(503, "as many attempts run as may", type: "server_error")
      }
      runningModel = name
    }
    if behaviour.once {
      if !server.tally.isFirst(beginning.conversation ^ name) { behaviour = behaviour.withoutFaults }
    } else if behaviour.percent < 100, !server.tally.isDrawn(percent: behaviour.percent) {
      behaviour = behaviour.withoutFaults
    }
    self.behaviour = behaviour
    if let silence = behaviour.silence { return keepSilent(silence) }
    if let refusal = behaviour.refusal { return refuse(as: refusal) }
    if isChat, request.endsInAssistant, behaviour.refusesPrefill {
      return fail(400, "this model takes no prefill; the last message must be a user's")
    }
    if request.continuesFinalMessage, request.addsGenerationPrompt {
      return fail(400, "continue_final_message and add_generation_prompt cannot both be true")
    }
    let echo = behaviour.echoesPrefill ? request.prefill : nil
    answer = CompletionAnswer(
      request, isChat: isChat, behaviour: behaviour, provider: server.providers[provider],
      mayChunk: !head.isHTTP10, model: model, identifier: server.nextIdentifier(), beginning: beginning,
      echo: echo.map { range in body.withBytes { [UInt8]($0[range]) } } ?? [],
      created: loop.wallMilliseconds / 1000, now: loop.now)
  }

  private func keepSilent(_ silence: ModelBehaviour.Silence) {
    switch silence {
    case .silent: return
    case .halfHead: return writer.output.append("HTTP/1.1 200 OK\r\nContent-Type: text/ev")
    case .closed: ending = .closed
    case .reset: ending = .reset
    }
    if let ending { end(ending, bytes: 0) }
  }

  // MARK: - Whole answers

  private static let models: String = {
    let names =
      ["sim"]
      + ModelWord.table.flatMap(\.words).map { word in
        "sim-" + word.name + (word.parameter == nil ? "" : "-1")
      }
    let entries = names.map { "{\"id\":\"\($0)\",\"object\":\"model\",\"created\":0,\"owned_by\":\"simulated\"}" }
    return "{\"object\":\"list\",\"data\":[" + entries.joined(separator: ",") + "]}"
  }()

  /// An error in OpenAI's envelope.
  func fail(_ status: Int, _ message: String, type: String = "invalid_request_error", code: String? = nil) {
    respond(status, "application/json", RefusalAnswer.envelope(status, message, type: type, code: code))
  }

  private func refuse(as refusal: ModelBehaviour.Refusal) {
    let made = RefusalAnswer(refusal, unixSeconds: loop.wallMilliseconds / 1000)
    respond(made.status, made.contentType, made.body, fields: made.fields)
  }

  /// Refuses what cannot be parsed, and closes.
  ///
  /// - Returns: true: there is an answer to write.
  func refuse(_ status: Int, _ message: String) -> Bool {
    state = .answering
    writer.reset()
    answer = nil
    behaviour = nil
    fail(status, message)
    writer.framing = .untilClose
    return true
  }

  private func respond(_ status: Int, _ contentType: String, _ body: String, fields: String = "") {
    writer.output.append("HTTP/1.1 ")
    writer.output.append(decimal: status)
    writer.output.append(" Simulated\r\nX-Simulated: yes\r\nContent-Type: ")
    writer.output.append(contentType)
    writer.output.append("\r\n")
    writer.output.append(fields)
    writer.output.append("Content-Length: ")
    writer.output.append(decimal: body.utf8.count)
    writer.output.append("\r\n\r\n")
    writer.output.append(body)
    record?.status = status
    ending = .complete
    end(.complete, bytes: writer.output.count)
  }

  // MARK: - The log

  func openRecord(model: [UInt8], provider: Int) {
    if record != nil {
      record?.provider = server.providers[provider].name
      record?.model = model
      return
    }
    var opened = AttemptRecord(
      provider: server.providers[provider].name, model: model, began: loop.now, hasAuthorization: false)
    headBytes.withSpan { bytes in
      opened.hasAuthorization = head.value("authorization", in: bytes) != nil
      if let value = head.value("x-pointsman-attempt", in: bytes) {
        opened.attempt = value.map { bytes[$0] }
      }
    }
    server.tally.received.add(1, ordering: .relaxed)
    record = opened
    guard server.tally.isLogging else { return }
    var line = ByteBuffer()
    opened.received(into: &line)
    server.tally.append(line)
  }

  /// Logs the end of the attempt under way, if there is one.
  func end(_ closing: Closing, bytes: Int) {
    if let runningModel { server.tally.leave(runningModel) }
    runningModel = nil
    guard let record else { return }
    self.record = nil
    let tokens = answer?.tokensSent ?? 0
    server.tally.ended.add(1, ordering: .relaxed)
    server.tally.tokens.add(tokens, ordering: .relaxed)
    guard server.tally.isLogging else { return }
    var line = ByteBuffer()
    record.ended(
      closing, tokens: tokens, finish: answer?.finishSent ?? false, usage: answer?.usageSent ?? nil, bytes: bytes,
      now: loop.now, into: &line)
    server.tally.append(line)
  }
}
