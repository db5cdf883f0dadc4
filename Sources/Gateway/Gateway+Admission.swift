import HTTP

/// Taking on no more than the bounds allow.
///
/// There are two looks. At the head, before a byte of the body is read, a request is refused when there is no room right
/// now: that is what makes refusals cheap. The place itself is taken when the request is whole, so that a client who is
/// slow to send its body keeps nobody else out; its body counts among the bytes of bodies meanwhile. It is given back when
/// the response is whole or the connection gone.
extension Gateway {
  /// What those are sent who come when there is no room even to read what they want.
  var farewell: [UInt8] { ErrorResponse(tooMany: .connections(admission.connections.limit)).farewell }

  /// What a request is told by its head when there is no room for it now.
  func lackOfRoom(for key: String) -> ErrorResponse? {
    if !admission.completions.hasRoom() { return ErrorResponse(tooMany: .completions(admission.completions.limit)) }
    if let place = keys.places[key], !keys.counts[place].hasRoom() { return tooMany(of: key, place) }
    return nil
  }

  /// Takes a place for the connection's request, or says why there is none.
  func takePlace(_ connection: Connection, for key: String) -> ErrorResponse? {
    guard admission.completions.reserve() else {
      return ErrorResponse(tooMany: .completions(admission.completions.limit))
    }
    guard let place = keys.places[key] else {
      connection.ticket = Self.keylessTicket
      return nil
    }
    guard keys.counts[place].reserve() else {
      admission.completions.release()
      return tooMany(of: key, place)
    }
    connection.ticket = Self.keylessTicket + 1 + place
    return nil
  }

  func takeBack(ticket: Int) {
    admission.completions.release()
    let place = ticket - Self.keylessTicket - 1
    if place >= 0 { keys.counts[place].release() }
  }

  private func tooMany(of key: String, _ place: Int) -> ErrorResponse {
    ErrorResponse(tooMany: .completionsOfKey(key, keys.counts[place].limit))
  }

  /// A request whose key has no bound; the others' tickets have the place of the key's count on top.
  private static let keylessTicket = 1
  /// How much of an unwanted body is read, so that the answer is.
  static let unwantedBody = 64 << 10
}
