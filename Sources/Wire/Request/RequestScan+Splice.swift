extension RequestScan {
  /// What stands in a body instead of one range of it; an empty range is an insertion.
  private struct Edit {
    var range: Range<Int>
    var text: StaticString
  }

  /// The body for the provider, piece by piece: the model's name replaced, usage asked for, all else byte for byte.
  ///
  /// - Parameters:
  ///   - body: the bytes that were scanned.
  ///   - upstreamModel: the provider's name of the model as a JSON string, quotes included.
  ///   - askUsage: whether a streamed answer shall report its usage (`stream_options.include_usage`).
  ///   - emit: gets the pieces in order; each is valid during its call.
  public func splice(
    _ body: Span<UInt8>, upstreamModel: [UInt8], askUsage: Bool, emit: (Span<UInt8>) -> Void
  ) {
    precondition(body.count == bodyLength, "the body is not the one that was scanned")
    forEachPiece(askUsage: askUsage) { piece in
      switch piece {
      case .original(let range): emit(body.extracting(range))
      case .model: emit(upstreamModel.span)
      case .text(let text): text.withUTF8Buffer { emit($0.span) }
      }
    }
  }

  /// One piece of the body for the provider.
  public enum Piece: Sendable {
    /// Bytes of the body that was scanned.
    case original(Range<Int>)
    /// The provider's name of the model, as a JSON string.
    case model
    case text(StaticString)
  }

  /// The pieces of ``splice(_:upstreamModel:askUsage:emit:)``, for one who reads them later. None is empty.
  public func forEachPiece(askUsage: Bool, _ body: (Piece) -> Void) {
    var position = 0
    func copy(to end: Int) {
      if position < end { body(.original(position..<end)) }
      position = end
    }
    let edit = askUsage ? usageEdit : nil
    func apply(_ edit: Edit) {
      copy(to: edit.range.lowerBound)
      body(.text(edit.text))
      position = edit.range.upperBound
    }
    if let edit, edit.range.lowerBound < modelRange.lowerBound { apply(edit) }
    copy(to: modelRange.lowerBound)
    body(.model)
    position = modelRange.upperBound
    if let edit, edit.range.lowerBound >= modelRange.upperBound { apply(edit) }
    copy(to: bodyLength)
  }

  /// How many bytes ``splice(_:upstreamModel:askUsage:emit:)`` gives.
  public func spliceLength(upstreamModel: [UInt8], askUsage: Bool) -> Int {
    let length = bodyLength - modelRange.count + upstreamModel.count
    guard askUsage, let edit = usageEdit else { return length }
    return length - edit.range.count + edit.text.utf8CodeUnitCount
  }

  /// What makes `stream_options.include_usage` true, if it is not.
  private var usageEdit: Edit? {
    guard stream else { return nil }
    switch streamOptions {
    case .absent:
      return Edit(range: afterBrace..<afterBrace, text: #""stream_options":{"include_usage":true},"#)
    case .null(let range):
      return Edit(range: range, text: #"{"include_usage":true}"#)
    case .object(let object):
      if object.asksUsage { return nil }
      if let value = object.includeUsage { return Edit(range: value, text: "true") }
      let inside = object.range.lowerBound + 1
      return Edit(
        range: inside..<inside, text: object.isEmpty ? #""include_usage":true"# : #""include_usage":true,"#)
    }
  }
}
