/// Reads when a provider wants to be asked again, in any of the forms that are in use. All results are nanoseconds from
/// now, at most a day; `nil` is no hint: nothing was said, or nothing that can be meant (garbage, a negative number).
/// "At once" (0, and a date that is past) is 0.
public enum RetryHint {
  /// A provider that asks for more is asked again after this, in nanoseconds.
  public static let longest: UInt64 = 86_400_000_000_000

  /// What a provider that refuses asks for, by all it says. Its headers go before its body, milliseconds before seconds;
  /// limits that it reports are the last word, since they are reported with every answer.
  ///
  /// - Parameters:
  ///   - milliseconds: the field `retry-after-ms` as it was sent.
  ///   - retryAfter: the field `Retry-After` as it was sent.
  ///   - body: ``ProviderError/retryDelay``.
  ///   - limits: until its rate limits have room again, in nanoseconds.
  ///   - now: milliseconds since 1970.
  public static func delay(
    milliseconds: String?, retryAfter: String?, body: UInt64?, limits: UInt64?, unixMilliseconds now: Int64
  ) -> UInt64? {
    milliseconds.flatMap { self.milliseconds($0) }
      ?? retryAfter.flatMap { self.retryAfter($0, unixMilliseconds: now) }
      ?? body.map { min($0, longest) } ?? limits.map { min($0, longest) }
  }

  /// `Retry-After`: seconds (RFC 9110 section 10.2.3), also with a fraction, as some providers send them; a duration
  /// with units; or an HTTP date in one of its three forms.
  ///
  /// - Parameter now: milliseconds since 1970.
  public static func retryAfter(_ text: String, unixMilliseconds now: Int64) -> UInt64? {
    let bytes = Array(text.utf8)
    if let seconds = number(bytes, unit: 1_000_000_000) ?? duration(bytes) { return seconds }
    guard let date = HTTPDateText.unixSeconds(bytes) else { return nil }
    let (milliseconds, overflows) = (date * 1000).subtractingReportingOverflow(now)
    if overflows || milliseconds <= 0 { return 0 }
    return min(UInt64(milliseconds), longest / 1_000_000) * 1_000_000
  }

  /// `retry-after-ms`: milliseconds, also with a fraction.
  public static func milliseconds(_ text: String) -> UInt64? { number(Array(text.utf8), unit: 1_000_000) }

  /// A protocol buffer's duration as JSON (`1.5s`), or one as Go writes it (`1h2m3.5s`).
  static func duration(_ bytes: [UInt8]) -> UInt64? {
    var at = 0
    let total = duration(bytes, &at)
    return at == bytes.count ? total : nil
  }

  /// The time that a message names: "Please try again in 1m2.5s.", "Please retry after 20 seconds", in any case.
  static func message(_ text: [UInt8]) -> UInt64? {
    for phrase in phrases {
      guard var at = end(of: phrase, in: text) else { continue }
      while at < text.count, text[at] == UInt8(ascii: " ") { at += 1 }
      if let found = duration(text, &at) { return found }
    }
    return nil
  }

  private static let phrases: [StaticString] = ["try again in ", "retry in ", "try again after ", "retry after "]

  private static func end(of phrase: StaticString, in text: [UInt8]) -> Int? {
    let expected = UnsafeBufferPointer(start: phrase.utf8Start, count: phrase.utf8CodeUnitCount)
    guard text.count >= expected.count else { return nil }
    for start in 0...text.count - expected.count {
      var length = 0
      while length < expected.count, lowered(text[start + length]) == expected[length] { length += 1 }
      if length == expected.count { return start + length }
    }
    return nil
  }

  // MARK: numbers and units

  private static let units: [(name: StaticString, nanoseconds: UInt64)] = [
    ("s", 1_000_000_000), ("ms", 1_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000), ("d", longest),
    ("second", 1_000_000_000), ("seconds", 1_000_000_000), ("sec", 1_000_000_000), ("secs", 1_000_000_000),
    ("minute", 60_000_000_000), ("minutes", 60_000_000_000), ("min", 60_000_000_000), ("mins", 60_000_000_000),
    ("hour", 3_600_000_000_000), ("hours", 3_600_000_000_000), ("day", longest), ("days", longest),
    ("millisecond", 1_000_000), ("milliseconds", 1_000_000),
  ]

  /// Numbers with units, one behind the other; `nil` when there is none.
  private static func duration(_ bytes: [UInt8], _ at: inout Int) -> UInt64? {
    var total: UInt64?
    var next = at
    while let value = decimal(bytes, &next) {
      if next < bytes.count, bytes[next] == UInt8(ascii: " ") { next += 1 }
      let first = next
      while next < bytes.count, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lowered(bytes[next])) { next += 1 }
      let word = bytes[first..<next]
      guard
        let unit = units.first(where: { unit in
          word.count == unit.name.utf8CodeUnitCount
            && word.enumerated().allSatisfy { lowered($0.element) == unit.name.utf8Start[$0.offset] }
        })
      else { break }
      total = min((total ?? 0) + value.scaled(by: unit.nanoseconds), longest)
      at = next
      if next < bytes.count, bytes[next] == UInt8(ascii: " ") { next += 1 }
    }
    return total
  }

  /// A number that is all there is.
  private static func number(_ bytes: [UInt8], unit: UInt64) -> UInt64? {
    var at = 0
    guard let value = decimal(bytes, &at), at == bytes.count else { return nil }
    return value.scaled(by: unit)
  }

  /// Digits, and perhaps a point and more digits: the whole, and billionths.
  private struct Decimal {
    var whole: UInt64 = 0
    var billionths: UInt64 = 0

    /// At most a day; no unit is longer.
    func scaled(by unit: UInt64) -> UInt64 {
      let (product, overflows) = whole.multipliedReportingOverflow(by: unit)
      if overflows || product >= longest { return longest }
      // A day times a billion does not fit.
      let fraction = billionths.multipliedFullWidth(by: unit)
      return min(product + UInt64(1_000_000_000).dividingFullWidth(fraction).quotient, longest)
    }
  }

  private static func decimal(_ bytes: [UInt8], _ at: inout Int) -> Decimal? {
    var value = Decimal()
    let first = at
    while at < bytes.count, bytes[at] &- UInt8(ascii: "0") <= 9 {
      // What is above is a day in any unit.
      value.whole = min(value.whole * 10 + UInt64(bytes[at] - UInt8(ascii: "0")), 1 << 56)
      at += 1
    }
    guard at > first else { return nil }
    guard at + 1 < bytes.count, bytes[at] == UInt8(ascii: "."), bytes[at + 1] &- UInt8(ascii: "0") <= 9 else {
      return value
    }
    at += 1
    var weight: UInt64 = 100_000_000
    while at < bytes.count, bytes[at] &- UInt8(ascii: "0") <= 9 {
      value.billionths += UInt64(bytes[at] - UInt8(ascii: "0")) * weight
      weight /= 10
      at += 1
    }
    return value
  }

  private static func lowered(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
