extension RequestScan {
  /// What stands in a body instead of one range of it; an empty range is an insertion.
  private struct Edit {
    var range: Range<Int>
    var text: StaticString
  }

  /// The body for the provider, piece by piece: the model's name replaced, usage asked for, what speaks to the router
  /// alone cut out, all else byte for byte.
  ///
  /// - Parameters:
  ///   - body: the bytes that were scanned.
  ///   - upstreamModel: the provider's name of the model as a JSON string, quotes included.
  ///   - askUsage: whether a streamed answer shall report its usage (`stream_options.include_usage`).
  ///   - dropping: parameters that are cut out, each whole.
  ///   - tier: what `service_tier` shall be, as a JSON string with its quotes; `nil` leaves it as it is.
  ///   - extraMembers: further members, each with a comma behind it; they come first.
  ///   - emit: gets the pieces in order; each is valid during its call.
  public func splice(
    _ body: Span<UInt8>, upstreamModel: [UInt8], askUsage: Bool, dropping: ParameterSet = [],
    tier: StaticString? = nil, extraMembers: [UInt8] = [], emit: (Span<UInt8>) -> Void
  ) {
    precondition(body.count == bodyLength, "the body is not the one that was scanned")
    forEachPiece(askUsage: askUsage, dropping: dropping, tier: tier, extraMembers: !extraMembers.isEmpty) { piece in
      switch piece {
      case .original(let range): emit(body.extracting(range))
      case .model: emit(upstreamModel.span)
      case .extraMembers: emit(extraMembers.span)
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
    /// The members that the endpoint wants in every request.
    case extraMembers
    case text(StaticString)
  }

  /// The pieces of ``splice(_:upstreamModel:askUsage:dropping:tier:extraMembers:emit:)``, for one who reads them later.
  /// None is empty.
  ///
  /// - Parameter extraMembers: whether there are any.
  public func forEachPiece(
    askUsage: Bool, dropping: ParameterSet = [], tier: StaticString? = nil, extraMembers: Bool = false,
    _ body: (Piece) -> Void
  ) {
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
    func putModel() {
      copy(to: modelRange.lowerBound)
      body(.model)
      position = modelRange.upperBound
    }
    guard asksMore(dropping, tier, extraMembers) else {
      if let edit, edit.range.lowerBound < modelRange.lowerBound { apply(edit) }
      putModel()
      if let edit, edit.range.lowerBound >= modelRange.upperBound { apply(edit) }
      return copy(to: bodyLength)
    }

    copy(to: afterBrace)
    if extraMembers { body(.extraMembers) }
    if let edit, edit.range.lowerBound == afterBrace { apply(edit) }
    if modelRange.isEmpty {
      body(.text(#""model":"#))
      body(.model)
      body(.text(","))
    }
    if let tier, !members.contains(where: { $0.routed == .serviceTier }) {
      body(.text(#""service_tier":"#))
      body(.text(tier))
      body(.text(","))
    }
    // The messages or the prompt stay, so there is one.
    let lastKept = members.lastIndex { !isCut($0, dropping) } ?? 0
    for index in 0...lastKept {
      let member = members[index]
      if isCut(member, dropping) {
        // From quote to quote, the comma and the blank behind it included.
        copy(to: member.key.lowerBound - 1)
        position = members[index + 1].key.lowerBound - 1
      } else if member.routed == .model {
        putModel()
      } else if member.routed == .streamOptions, let edit {
        apply(edit)
      } else if member.routed == .serviceTier, let tier {
        apply(Edit(range: member.value, text: tier))
      }
    }
    if lastKept < members.count - 1 {
      copy(to: members[lastKept].value.upperBound)
      position = members[members.count - 1].value.upperBound
    }
    copy(to: bodyLength)
  }

  /// Whether more than the model and the usage is changed.
  private func asksMore(_ dropping: ParameterSet, _ tier: StaticString?, _ extraMembers: Bool) -> Bool {
    hasRouterMembers || extraMembers || tier != nil || !parameters.isDisjoint(with: dropping)
  }

  private func isCut(_ member: RequestScanner.Member, _ dropping: ParameterSet) -> Bool {
    member.routed?.isForRouterOnly == true || !member.parameter.isDisjoint(with: dropping)
  }

  /// How many bytes ``splice(_:upstreamModel:askUsage:dropping:tier:extraMembers:emit:)`` gives.
  public func spliceLength(
    upstreamModel: [UInt8], askUsage: Bool, dropping: ParameterSet = [], tier: StaticString? = nil,
    extraMembers: [UInt8] = []
  ) -> Int {
    guard asksMore(dropping, tier, !extraMembers.isEmpty) else {
      let length = bodyLength - modelRange.count + upstreamModel.count
      guard askUsage, let edit = usageEdit else { return length }
      return length - edit.range.count + edit.text.utf8CodeUnitCount
    }
    var length = 0
    forEachPiece(askUsage: askUsage, dropping: dropping, tier: tier, extraMembers: !extraMembers.isEmpty) { piece in
      switch piece {
      case .original(let range): length += range.count
      case .model: length += upstreamModel.count
      case .extraMembers: length += extraMembers.count
      case .text(let text): length += text.utf8CodeUnitCount
      }
    }
    return length
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
