import Loop

/// Writing responses. Everything is appended to the connection's output; the round's end writes it.
extension Connection {
  /// A whole response with a known length.
  ///
  /// - Parameters:
  ///   - status: the HTTP status; 1xx, 204 and 304 are not made here.
  ///   - fields: appends further header lines, each with its CR LF.
  public func respond(
    status: Int, contentType: StaticString, fields: (inout ByteBuffer) -> Void = { _ in }, body: Span<UInt8>
  ) {
    respond(status: status, contentType: contentType, length: body.count, fields: fields) { $0.append(body) }
  }

  /// A whole response whose body is appended by `write`: exactly `length` bytes, or the response is cut short and the
  /// connection ends, so that the client cannot take it for whole.
  public func respond(
    status: Int, contentType: StaticString, length: Int, fields: (inout ByteBuffer) -> Void,
    write: (inout ByteBuffer) -> Void
  ) {
    if isClosed || isAnswered || responseStarted { return }
    output.reserve(length + 768)
    appendStatus(status)
    output.append("Content-Type: ")
    output.append(contentType)
    output.append("\r\nContent-Length: ")
    output.append(decimal: length)
    output.append("\r\n")
    appendCommonFields()
    fields(&output)
    output.append("\r\n")
    if head.method != .head {
      let start = output.count
      write(&output)
      if output.count - start != length {
        output.truncate(to: start)
        closesAfterResponse = true
      }
    }
    responseEnded()
  }

  /// Starts a response whose length is not known yet: chunked, or until the close for HTTP/1.0.
  public func beginStream(status: Int, contentType: StaticString, fields: (inout ByteBuffer) -> Void) {
    if isClosed || isAnswered || responseStarted { return }
    responseStarted = true
    isChunkedResponse = !head.isHTTP10
    if head.isHTTP10 { closesAfterResponse = true }
    appendStatus(status)
    output.append("Content-Type: ")
    output.append(contentType)
    output.append(isChunkedResponse ? "\r\nTransfer-Encoding: chunked\r\n" : "\r\n")
    appendCommonFields()
    fields(&output)
    output.append("\r\n")
    server.markDirty(self)
  }

  /// Appends to the stream; all that one round appends is one chunk.
  public func stream(_ bytes: Span<UInt8>) {
    guard openChunkIfNeeded() else { return }
    output.append(bytes)
  }

  /// Appends to the stream what `write` appends.
  public func stream(_ write: (inout ByteBuffer) -> Void) {
    guard openChunkIfNeeded() else { return }
    write(&output)
  }

  /// Appends literal text to the stream.
  public func stream(_ text: StaticString) {
    guard openChunkIfNeeded() else { return }
    output.append(text)
  }

  /// Ends the stream in good order.
  public func endStream() {
    if isClosed || !responseStarted { return }
    sealChunk()
    if isChunkedResponse, head.method != .head { output.append("0\r\n\r\n") }
    responseEnded()
  }

  /// The response has been put together whole.
  private func responseEnded() {
    isAnswered = true
    exchange = nil
    responseStarted = false
    isChunkedResponse = false
    setPhase(.max)
    server.markDirty(self)
    returnTicket()
    if closesAfterResponse || server.isDraining {
      closesAfterResponse = true
      chunked = nil
      state = .responding
      return
    }
    state = .head
    if input.isEmpty { releaseInput() }
    if hasUnparsed { server.markResumable(self) }
  }

  /// Whether the stream takes content; opens the round's chunk.
  private func openChunkIfNeeded() -> Bool {
    guard !isClosed, responseStarted, head.method != .head else { return false }
    if openChunk != nil { return true }
    server.markDirty(self)
    guard isChunkedResponse else { return true }
    openChunk = output.count
    // Room for the size, filled in when the chunk is sealed; leading zeros are part of the grammar.
    output.append("00000000\r\n")
    return true
  }

  /// Fills in the open chunk's size. A chunk without content is taken back: it would end the stream.
  func sealChunk() {
    guard let start = openChunk else { return }
    openChunk = nil
    var size = output.count - start - 10
    if size == 0 { return output.truncate(to: start) }
    var digits: UInt64 = 0
    for _ in 0..<8 {
      let nibble = UInt64(size & 15)
      digits = digits << 8 | (nibble < 10 ? 48 + nibble : 87 + nibble)
      size >>= 4
    }
    // The low byte was shifted in last and is the most significant digit: little-endian order is text order.
    withUnsafeBytes(of: digits.littleEndian) { output.overwrite(at: start, with: $0) }
    output.append("\r\n")
  }

  private func appendCommonFields() {
    output.append(server.dateField)
    if !commonFields.isEmpty { output.append(commonFields) }
    if closesAfterResponse || server.isDraining {
      closesAfterResponse = true
      output.append("Connection: close\r\n")
    } else if head.isHTTP10 {
      output.append("Connection: keep-alive\r\n")
    }
  }

  private func appendStatus(_ status: Int) {
    switch status {
    case 200: output.append("HTTP/1.1 200 OK\r\n")
    case 400: output.append("HTTP/1.1 400 Bad Request\r\n")
    case 401: output.append("HTTP/1.1 401 Unauthorized\r\n")
    case 404: output.append("HTTP/1.1 404 Not Found\r\n")
    case 429: output.append("HTTP/1.1 429 Too Many Requests\r\n")
    default:
      output.append("HTTP/1.1 ")
      output.append(decimal: status)
      output.append(Self.reason(status))
    }
  }

  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 402: " Payment Required\r\n"
    case 403: " Forbidden\r\n"
    case 405: " Method Not Allowed\r\n"
    case 408: " Request Timeout\r\n"
    case 413: " Content Too Large\r\n"
    case 414: " URI Too Long\r\n"
    case 415: " Unsupported Media Type\r\n"
    case 417: " Expectation Failed\r\n"
    case 421: " Misdirected Request\r\n"
    case 422: " Unprocessable Content\r\n"
    case 431: " Request Header Fields Too Large\r\n"
    case 500: " Internal Server Error\r\n"
    case 502: " Bad Gateway\r\n"
    case 503: " Service Unavailable\r\n"
    case 504: " Gateway Timeout\r\n"
    case 505: " HTTP Version Not Supported\r\n"
    case 508: " Loop Detected\r\n"
    default: " Response\r\n"
    }
  }
}
