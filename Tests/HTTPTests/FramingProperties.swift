#if canImport(HTTP)
  @testable import HTTP
#endif

/// What must hold for any bytes at all. The ordinary tests check it on the corpus, the fuzz targets on everything.
/// Each function gives nil, or a sentence that says what was broken.
enum FramingProperties {
  // MARK: - Heads

  static func head(_ bytes: [UInt8]) -> String? {
    var head = RequestHead()
    do throws(FramingRefusal) { try head.parse(bytes.span) } catch {
      return (400..<600).contains(error.status) ? nil : "a refusal has the status \(error.status)"
    }
    guard head.fields.count <= RequestHead.fieldLimit else { return "it has \(head.fields.count) fields" }
    guard bytes.suffix(4) == [13, 10, 13, 10] else { return "a head was taken that does not end in an empty line" }
    if head.isChunked, head.contentLength != nil { return "two framings at once" }
    for range in head.fields.flatMap({ [$0.name, $0.value] }) + [head.path, head.query, head.host] {
      guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return "\(range) is outside" }
      if bytes[range].contains(where: { [0, 10, 13].contains($0) }) { return "\(range) holds a line end or a NUL" }
    }
    if head.host.isEmpty || head.path.isEmpty { return "it has no host or no path" }
    for short in [Array(bytes.dropLast()), Array(bytes.dropLast(2)), bytes + [10]] {
      var other = RequestHead()
      if (try? other.parse(short.span)) != nil { return "it is one with a byte more or less too" }
    }
    return rebuilt(head, bytes)
  }

  /// Written again field by field, with other white space, it means the same.
  private static func rebuilt(_ head: RequestHead, _ bytes: [UInt8]) -> String? {
    guard let lineEnd = bytes.firstIndex(of: 13) else { return "it has no request line" }
    var text = Array(bytes[..<lineEnd]) + [13, 10]
    for field in head.fields {
      text += bytes[field.name] + Array(": \t".utf8) + bytes[field.value] + Array(" \r\n".utf8)
    }
    text += [13, 10]
    var again = RequestHead()
    guard (try? again.parse(text.span)) != nil else { return "written again it is refused" }
    let isSame =
      again.method == head.method && text[again.path] == bytes[head.path] && text[again.query] == bytes[head.query]
      && text[again.host] == bytes[head.host] && again.contentLength == head.contentLength
      && again.isChunked == head.isChunked && again.keepsAlive == head.keepsAlive
      && again.expectsContinue == head.expectsContinue && again.isHTTP10 == head.isHTTP10
    return isSame ? nil : "written again it means something else"
  }

  // MARK: - Chunked bodies

  private struct Reading: Equatable {
    var content: [UInt8] = []
    var rest: [UInt8] = []
    var isDone = false
  }

  /// Nil: refused.
  private static func read(_ pieces: [ArraySlice<UInt8>]) -> Reading? {
    var body = ChunkedBody()
    var reading = Reading()
    for piece in pieces {
      reading.rest += piece
      var content: [UInt8] = []
      guard
        let used = try? body.read(
          reading.rest.span,
          content: { span in
            for index in 0..<span.count { content.append(span[index]) }
          })
      else { return nil }
      guard used <= reading.rest.count else { return Reading(rest: [0]) }
      reading.content += content
      reading.rest.removeFirst(used)
    }
    reading.isDone = body.isDone
    return reading
  }

  static func chunkedBody(_ bytes: [UInt8]) -> String? {
    let whole = read([bytes[...]])
    if let whole, whole.content.count + whole.rest.count > bytes.count { return "more came out than went in" }
    if read(bytes.indices.map { bytes[$0...$0] }) != whole { return "byte by byte it is another body" }
    let step = max(bytes.count / 16, 1)
    for cut in stride(from: 0, through: bytes.count, by: step) where read([bytes[..<cut], bytes[cut...]]) != whole {
      return "cut at \(cut) it is another body"
    }
    return nil
  }
}
