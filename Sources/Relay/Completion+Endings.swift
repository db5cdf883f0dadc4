import HTTP
import Loop
import Metering
import Wire

/// How a completion ends: with a whole answer, with an honest error, or because the process stops.
extension Completion {
  /// Every choice has finished: record it, then let the client see the end.
  func completeStream(_ attempt: Attempt) {
    guard attempt === current || attempt === rival, !attempt.isOver else { return }
    if attempt.tally.firstContentAt == nil, attempt.tally.isEmptyCompletion, !isBelievedEnd(attempt) {
      return attempt.fail(.emptyCompletion, "it finished without a single token")
    }
    contentBegan(attempt)
    attempt.releaseFinish()
    attempt.emitUsageChunkIfOwed()
    succeed(attempt)
    if let connection {
      if let choice {
        connection.stream { out in
          out.append("data: ")
          out.append(
            ChunkScan.memberOnlyChunk(
              kind, identity: attempt.identity, name: "openrouter_metadata",
              value: choice.json(tried: machine.failures, served: attempt.place)))
          out.append("\n\n")
        }
      }
      connection.stream("data: [DONE]\n\n")
      connection.needsDurability = true
      connection.endStream()
    }
    linger(attempt)
  }

  /// A cut answer may have been whole but for its end. One that says so without a single token is believed only when no
  /// other endpoint can be asked, and its usage shows that it has read what was delivered.
  private func isBelievedEnd(_ attempt: Attempt) -> Bool {
    guard machine.hasDeliveredContent, !machine.hasUnaskedResume, let carried else { return false }
    return attempt.tally.usage?.input ?? 0 >= Int64(carried.delivered.pieces)
  }

  func completeUnstreamed(_ attempt: Attempt) {
    guard attempt === current, !attempt.isOver else { return }
    var said: ProviderError?
    let refusal: (FailureClass, String)? = attempt.collected.withSpan { body in
      guard let scan = try? ChunkScan.scan(body) else { return (.badResponse, "its answer is not valid JSON") }
      attempt.tally.note(scan, body, isWhole: true)
      if scan.error != nil {
        said = attempt.said(body)
        return nil
      }
      if scan.finishReason == .error { return (.errorEvent, Attempt.errorFinish) }
      guard (scan.choiceCount ?? 0) > 0 else { return (.badResponse, "its answer has no choices") }
      attempt.madeSignatures = scan.hasSignature
      attempt.sample?.answer.add(body)
      if attempt.tally.isEmptyCompletion { return (.emptyCompletion, "it finished without a single token") }
      succeed(attempt)
      respondUnstreamed(attempt, body, scan)
      return nil
    }
    if let said { return attempt.failByErrorEvent(said) }
    if let (failure, message) = refusal { return attempt.fail(failure, message) }
    linger(attempt)
  }

  func respondUnstreamed(_ attempt: Attempt, _ body: Span<UInt8>, _ scan: ChunkScan) {
    guard let connection else { return }
    // Behind the opening brace; what the router itself writes there makes sure that another member follows.
    var metadata: [UInt8] = []
    if let choice {
      metadata =
        Array(#""openrouter_metadata":"#.utf8)
        + choice.json(tried: machine.failures, served: attempt.place) + [UInt8(ascii: ",")]
    }
    var length = metadata.count
    scan.rewrite(body, identity: attempt.identity, usage: .keep, cost: nil) { length += $0.count }
    connection.needsDurability = true
    connection.respond(
      status: 200, contentType: "application/json", length: length,
      fields: { out in
        appendIdentity(to: &out, attempt)
        if let cost = attempt.costLiteral {
          out.append("X-Pointsman-Cost-USD: ")
          out.append(cost)
          out.append("\r\n")
        }
      },
      write: { out in
        var isFirst = true
        scan.rewrite(body, identity: attempt.identity, usage: .keep, cost: nil) { piece in
          guard isFirst, !metadata.isEmpty else { return out.append(piece) }
          isFirst = false
          // The first piece ends with the brace.
          out.append(piece)
          out.append(metadata)
        }
      })
  }

  func succeed(_ attempt: Attempt) {
    vouch(for: attempt)
    if connection == nil {
      attempt.settle(.cancelled, .clientLeft, isFinal: true)
    } else {
      attempt.settle(.completed, .none, isFinal: true)
    }
  }

  /// The client has its answer; the transfer gets two seconds to end by itself, so that its connection can be used
  /// again.
  func linger(_ attempt: Attempt) {
    connection = nil
    guard attempt.transfer != nil else {
      current = nil
      return close()
    }
    deadlines = CompletionDeadlines()
    attempt.deadlines = StreamDeadlines()
    setEndGrace(attempt, 2_000_000_000)
  }

  func lingeringEnded(_ attempt: Attempt) {
    guard attempt === current else { return }
    current = nil
    close()
  }

  func giveUp(_ error: RouterError) {
    guard let connection else { return close() }
    connection.needsDurability = true
    if responseBegan || machine.hasDeliveredContent {
      sendErrorEvent(error, on: connection)
    } else {
      var error = error
      if let choice { error.choice = choice.json(tried: error.attempts, served: nil) }
      relay.presenter.respond(error, on: connection, completion: id)
    }
    self.connection = nil
    close()
  }

  func sendErrorEvent(_ error: RouterError, on connection: Connection) {
    let presented = relay.presenter.inBand(error)
    let attempt = current ?? lastAttempt
    let identity =
      attempt?.identity
      ?? ChunkIdentity(
        id: generationJSON, created: created, model: JSONText.quoted(route.name),
        provider: JSONText.quoted("pointsman"))
    let event = ErrorEvent(code: presented.code, message: error.message, errorType: presented.type)
    let unfinished = attempt?.tally.finished.missing(below: request.choiceCount) ?? [0]
    connection.stream { out in
      out.append("data: ")
      out.append(event.data(kind, identity: identity, unfinished: unfinished.isEmpty ? [0] : unfinished))
      out.append("\n\n")
    }
    connection.endStream()
  }

  /// The process is stopping: what runs ends with an honest error, and nothing is waited for.
  func routerStops() {
    if let rival { cancel(rival, .routerStopped, isFinal: false) }
    if let attempt = current {
      let isAnswered = attempt.isOver
      if isAnswered { drop(attempt) } else { cancel(attempt, .routerStopped, isFinal: true) }
      if isAnswered { return close() }
    }
    giveUp(.routerStops)
  }
}
