/// What becomes of a chunk's `usage`.
public enum UsageEdit: Sendable {
  /// It stays as it is.
  case keep
  /// It becomes this object, which a chunk of the same answer had as its `usage`; added when there was none.
  case set([UInt8])
}

extension ChunkScan {
  /// One change to the chunk: this range gives way to what `part` stands for.
  private struct Edit {
    enum Part { case id, created, model, provider, usage, cost }
    var range: Range<Int>
    var part: Part
  }

  /// Writes the chunk as the client shall see it: with the completion's own id, time, model and provider, added where
  /// they are missing; all else byte for byte.
  ///
  /// - Parameters:
  ///   - data: the bytes that were scanned.
  ///   - usage: what becomes of the usage.
  ///   - cost: a decimal literal in USD that becomes the first member of the usage that is written, in place of a cost
  ///     that the provider put there.
  ///   - isMultiLine: the data came in several `data` lines; line ends in it are then written as spaces.
  ///   - emit: gets the pieces in order; each is valid during its call.
  public func rewrite(
    _ data: Span<UInt8>, identity: ChunkIdentity, usage edit: UsageEdit, cost: [UInt8]? = nil,
    isMultiLine: Bool = false, emit: (Span<UInt8>) -> Void
  ) {
    var position = 0
    func copy(to end: Int) {
      if isMultiLine {
        Self.emitWithoutLineEnds(data, position..<end, emit)
      } else if position < end {
        emit(data.extracting(position..<end))
      }
      position = end
    }
    copy(to: openingBrace + 1)
    emitMissing(identity, edit, cost, emit)
    while let next = nextEdit(from: position, edit, cost) {
      copy(to: next.range.lowerBound)
      switch next.part {
      case .id: emit(identity.id.span)
      case .created: emit(identity.created.span)
      case .model: emit(identity.model.span)
      case .provider: emit(identity.provider.span)
      case .usage:
        if case .set(let usage) = edit { Self.emit(usage, cost: cost, emit) }
      case .cost:
        if let usageObject, let cost { usageObject.emitCost(cost, emit) }
      }
      position = next.range.upperBound
    }
    copy(to: data.count)
  }

  /// The first value at or behind `position` that is replaced.
  private func nextEdit(from position: Int, _ usage: UsageEdit, _ cost: [UInt8]?) -> Edit? {
    var next: Edit?
    func consider(_ range: Range<Int>?, _ part: Edit.Part) {
      guard let range, range.lowerBound >= position, range.lowerBound < next?.range.lowerBound ?? Int.max else {
        return
      }
      next = Edit(range: range, part: part)
    }
    consider(id, .id)
    consider(created, .created)
    consider(model, .model)
    consider(provider, .provider)
    if case .keep = usage {
      if cost != nil { consider(usageObject?.costPlace, .cost) }
    } else {
      consider(usageRange, .usage)
    }
    return next
  }

  /// Writes the members that the chunk lacks, each with a comma behind it as long as another follows.
  private func emitMissing(
    _ identity: ChunkIdentity, _ usage: UsageEdit, _ cost: [UInt8]?, _ emit: (Span<UInt8>) -> Void
  ) {
    var separates = false
    func member(_ name: StaticString) {
      if separates { Self.emit(",", emit) }
      Self.emit(name, emit)
      separates = true
    }
    if id == nil {
      member(#""id":"#)
      emit(identity.id.span)
    }
    if created == nil {
      member(#""created":"#)
      emit(identity.created.span)
    }
    if model == nil {
      member(#""model":"#)
      emit(identity.model.span)
    }
    if provider == nil {
      member(#""provider":"#)
      emit(identity.provider.span)
    }
    if case .set(let bytes) = usage, usageRange == nil {
      member(#""usage":"#)
      Self.emit(bytes, cost: cost, emit)
    }
    if separates, !isEmpty { Self.emit(",", emit) }
  }

  private static func emit(_ text: StaticString, _ emit: (Span<UInt8>) -> Void) {
    text.withUTF8Buffer { emit($0.span) }
  }

  /// Writes a usage object with a cost in it; one that cannot be read is written as it is.
  static func emit(_ usage: [UInt8], cost: [UInt8]?, _ emit: (Span<UInt8>) -> Void) {
    guard let cost else { return emit(usage.span) }
    let object = usage.span.withJSONBytes { bytes in
      var cursor = JSONCursor(bytes, depthLimit: depthLimit)
      return try? UsageObject(&cursor)
    }
    guard let object else { return emit(usage.span) }
    emit(usage.span.extracting(0..<object.costPlace.lowerBound))
    object.emitCost(cost, emit)
    emit(usage.span.extracting(object.costPlace.upperBound..<usage.count))
  }

  /// A copy of the chunk's usage on one line, for ``UsageEdit/set(_:)`` in another chunk of the same answer; nil when
  /// there is none, or an invalid one.
  ///
  /// - Parameter data: the bytes that were scanned.
  public func usageCopy(_ data: Span<UInt8>) -> [UInt8]? {
    guard usage != nil, let range = usageRange else { return nil }
    var copy = data.extracting(range).withUnsafeBufferPointer { Array($0) }
    for index in copy.indices where copy[index] == 0x0a || copy[index] == 0x0d { copy[index] = 0x20 }
    return copy
  }

  /// A line end between two `data` lines is blank between two tokens; in one event line it must be a space.
  private static func emitWithoutLineEnds(_ data: Span<UInt8>, _ range: Range<Int>, _ emit: (Span<UInt8>) -> Void) {
    var first = range.lowerBound
    for index in range where data[index] == 0x0a {
      if first < index { emit(data.extracting(first..<index)) }
      Self.emit(" ", emit)
      first = index + 1
    }
    if first < range.upperBound { emit(data.extracting(first..<range.upperBound)) }
  }

  /// The last chunk of a stream whose client asked for usage: no choices, and the usage.
  ///
  /// - Parameters:
  ///   - usage: a usage object of this answer, as JSON.
  ///   - cost: a decimal literal in USD, put into the usage.
  public static func usageOnlyChunk(
    _ kind: RequestKind, identity: ChunkIdentity, usage: [UInt8], cost: [UInt8]? = nil
  ) -> [UInt8] {
    var output: [UInt8] = [UInt8(ascii: "{")]
    identity.appendMembers(object: kind.chunkObject, to: &output)
    JSONText.appendVerbatim(#","choices":[],"usage":"#, to: &output)
    emit(usage, cost: cost) { piece in piece.withUnsafeBufferPointer { output.append(contentsOf: $0) } }
    output.append(UInt8(ascii: "}"))
    return output
  }
}

extension ChunkScan {
  /// A chunk with empty `choices` and one member of the router's own.
  ///
  /// - Parameters:
  ///   - name: the member's name.
  ///   - value: JSON.
  public static func memberOnlyChunk(
    _ kind: RequestKind, identity: ChunkIdentity, name: StaticString, value: [UInt8]
  ) -> [UInt8] {
    var output: [UInt8] = [UInt8(ascii: "{")]
    identity.appendMembers(object: kind.chunkObject, to: &output)
    JSONText.appendVerbatim(#","choices":[],""#, to: &output)
    JSONText.appendVerbatim(name, to: &output)
    JSONText.appendVerbatim(#"":"#, to: &output)
    output.append(contentsOf: value)
    output.append(UInt8(ascii: "}"))
    return output
  }
}

extension UsageObject {
  /// What gives way to a cost: the cost that is there, or the opening brace.
  var costPlace: Range<Int> { cost ?? range.lowerBound..<range.lowerBound + 1 }

  /// Writes a cost, and what must stand around it.
  func emitCost(_ value: [UInt8], _ emit: (Span<UInt8>) -> Void) {
    if cost != nil { return emit(value.span) }
    let before: StaticString = #"{"cost":"#
    before.withUTF8Buffer { emit($0.span) }
    emit(value.span)
    let after: StaticString = ","
    if !isEmpty { after.withUTF8Buffer { emit($0.span) } }
  }
}

extension RequestKind {
  /// The value of `object` in a chunk of a streamed answer.
  var chunkObject: StaticString {
    switch self {
    case .chatCompletions: "chat.completion.chunk"
    case .completions: "text_completion"
    }
  }
}
