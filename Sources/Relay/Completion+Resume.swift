import HTTP
import Wire

/// Carrying a cut answer on at another endpoint: nothing is sent twice, lost or invented, and the seam is marked.
extension Completion {
  /// The request that asks the endpoint at this place to go on behind what was delivered; `nil` where that cannot be.
  func continuation(at place: Int) -> (body: [UInt8], scan: RequestScan)? {
    guard let carried, carried.canGoOn, let connection, let how = table.endpoints[place].traits.continuation else {
      return nil
    }
    return connection.body.withSpan { body in
      request.continued(body, by: carried.delivered.text, generated: carried.delivered.pieces, as: how)
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
