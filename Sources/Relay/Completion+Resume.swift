import HTTP
import Wire

/// Carrying a cut answer on at another endpoint: nothing is sent twice, lost or invented, and the seam is marked.
extension Completion {
  /// The request that asks the endpoint at this place to go on behind what was delivered; `nil` where that cannot be.
  func continuation(at place: Int) -> (body: [UInt8], scan: RequestScan)? {
    let traits = table.endpoints[place].traits
    guard let carried, carried.canGoOn, let connection, let how = traits.continuation else { return nil }
    let (text, generated) = (carried.delivered.text, carried.delivered.pieces)
    return connection.body.withSpan { body in
      if kind == .chatCompletions, let template = traits.chatTemplate {
        return request.rendered(body, by: template, continuing: text, generated: generated)
      }
      return request.continued(body, by: text, generated: generated, as: how)
    }
  }

  /// A comment, which clients pass over, says where another endpoint took over.
  func markSeam(_ attempt: Attempt, on connection: Connection) {
    connection.stream { out in
      out.append(": POINTSMAN RESUMED provider=")
      out.append(ServedFields.encoded(attempt.providerName))
      out.append(" after=")
      out.append(decimal: carried?.delivered.pieces ?? 0)
      out.append("\n\n")
    }
  }
}
