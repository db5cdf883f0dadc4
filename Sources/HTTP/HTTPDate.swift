/// The IMF-fixdate of RFC 9110 section 5.6.7, by calendar arithmetic (days from civil, proleptic Gregorian).
enum HTTPDate {
  private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// `Date: Sun, 06 Nov 1994 08:49:37 GMT` with its line end.
  static func field(unixSeconds: Int64) -> [UInt8] {
    let seconds = max(unixSeconds, 0)
    let days = seconds / 86400
    let rest = seconds % 86400
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let weekday = weekdays[Int(days % 7)]
    let clock = "\(two(rest / 3600)):\(two(rest % 3600 / 60)):\(two(rest % 60))"
    return Array("Date: \(weekday), \(two(day)) \(months[Int(month - 1)]) \(year) \(clock) GMT\r\n".utf8)
  }
}
