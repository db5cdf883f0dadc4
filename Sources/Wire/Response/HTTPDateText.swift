/// Reads the three forms of RFC 9110 section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`
/// and `Sun Nov  6 08:49:37 1994`.
enum HTTPDateText {
  private static let months: [StaticString] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]

  /// Seconds since 1970; `nil` for anything else than a date of the years 1970 to 9999. A year of two digits is taken to
  /// be in 1970 to 2069.
  static func unixSeconds(_ text: [UInt8]) -> Int64? {
    guard text.count <= 40 else { return nil }
    let words = text.split { byte in
      [UInt8(ascii: " "), UInt8(ascii: ","), UInt8(ascii: "-"), UInt8(ascii: ":")].contains(byte)
    }
    var parts: (day: ArraySlice<UInt8>, month: ArraySlice<UInt8>, year: ArraySlice<UInt8>, clock: Int)
    switch words.count {
    case 8 where ["GMT", "UTC"].contains(String(decoding: words[7], as: UTF8.self)):
      parts = (words[1], words[2], words[3], 4)
    case 7: parts = (words[2], words[1], words[6], 3)
    default: return nil
    }
    guard let day = number(parts.day, 1...31), let month = month(parts.month), var year = number(parts.year, 0...9999),
      let hour = number(words[parts.clock], 0...23), let minute = number(words[parts.clock + 1], 0...59),
      let second = number(words[parts.clock + 2], 0...60)
    else { return nil }
    if parts.year.count == 2 { year += year < 70 ? 2000 : 1900 }
    guard year >= 1970 else { return nil }
    return (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second
  }

  /// Days from 1970-01-01 in the Gregorian calendar: years begin in March, so that the odd day comes last.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month > 2 ? year : year - 1
    let inYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + inYear - 719_468
  }

  private static func number(_ word: ArraySlice<UInt8>, _ range: ClosedRange<Int64>) -> Int64? {
    guard word.count <= 4 else { return nil }
    var value: Int64 = 0
    for byte in word {
      guard byte &- UInt8(ascii: "0") <= 9 else { return nil }
      value = value * 10 + Int64(byte - UInt8(ascii: "0"))
    }
    return range.contains(value) ? value : nil
  }

  private static func month(_ word: ArraySlice<UInt8>) -> Int64? {
    guard word.count == 3 else { return nil }
    let index = months.firstIndex { name in
      word.enumerated().allSatisfy { $0.element | 0x20 == name.utf8Start[$0.offset] }
    }
    return index.map { Int64($0) + 1 }
  }
}
