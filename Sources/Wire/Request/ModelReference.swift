/// A model's name with what OpenRouter's grammar allows behind it: `author/slug[:variant][@preset/name]`, or a preset
/// alone, `@preset/name`. Looked at only when the whole name is not a route itself.
public struct ModelReference: Sendable, Equatable {
  /// All of it.
  public let whole: String
  /// What stands before a suffix or preset; empty for a preset alone.
  public let base: String
  /// Behind the last colon, without it; `nil` when there is none.
  public let variant: String?
  /// Behind `@preset/`; `nil` when there is none.
  public let preset: String?

  /// - Parameter name: UTF-8.
  public init(_ name: Span<UInt8>) {
    whole = name.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    var rest = Substring(whole)
    let mark = "@preset/"
    if let start = rest.range(of: mark) {
      let text = rest[start.upperBound...]
      preset = text.isEmpty ? nil : String(text)
      if !text.isEmpty { rest = rest[..<start.lowerBound] }
    } else {
      preset = nil
    }
    if let colon = rest.lastIndex(of: ":"), rest.index(after: colon) < rest.endIndex,
      !rest[colon...].contains("/")
    {
      variant = String(rest[rest.index(after: colon)...])
      rest = rest[..<colon]
    } else {
      variant = nil
    }
    base = String(rest)
  }
}

extension Substring {
  /// Where `text` stands first.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
