/// Dates as lists write them: `2026-03-01`, or with a time behind it, `2026-03-01T13:00:00Z`.
enum ListedDate {
  /// Seconds since 1970 in UTC; `nil` for what is no such date.
  ///
  /// - Parameter dayEndsAt: the hour that is meant by a date alone.
  static func seconds(_ text: String, dayEndsAt hour: Int64 = 0) -> Int64? {
    let bytes = Array(text.utf8.prefix(40))
    guard let year = number(bytes, 0, 4), separator(bytes, 4, "-"), let month = number(bytes, 5, 2),
      separator(bytes, 7, "-"), let day = number(bytes, 8, 2), (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    let midnight = days(year, month, day) * 86_400
    if bytes.count == 10 { return midnight + hour * 3_600 }
    guard separator(bytes, 10, "T") || separator(bytes, 10, " "), let hour = number(bytes, 11, 2),
      separator(bytes, 13, ":"), let minute = number(bytes, 14, 2), hour < 24, minute < 60
    else { return nil }
    return midnight + hour * 3_600 + minute * 60
  }

  /// Days since 1970-01-01 in the Gregorian calendar.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    // Years that begin in March have their leap day at the end.
    let shifted = month > 2 ? year : year - 1
    let sinceMarch = (month + 9) % 12
    let leapDays = shifted.floored(4) - shifted.floored(100) + shifted.floored(400)
    return shifted * 365 + leapDays + (sinceMarch * 153 + 2) / 5 + day - 1 - 719_468
  }

  private static func number(_ bytes: [UInt8], _ first: Int, _ count: Int) -> Int64? {
    guard bytes.count >= first + count else { return nil }
    var value: Int64 = 0
    for byte in bytes[first..<first + count] {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + Int64(byte - UInt8(ascii: "0"))
    }
    return value
  }

  private static func separator(_ bytes: [UInt8], _ place: Int, _ character: Character) -> Bool {
    place < bytes.count && bytes[place] == character.asciiValue
  }
}

extension Int64 {
  fileprivate func floored(_ divisor: Int64) -> Int64 {
    let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
    return rest < 0 ? quotient - 1 : quotient
  }
}
