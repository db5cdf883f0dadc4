/// Numbers with units as they are written in routes.yaml.
enum Quantity {
  /// `500ms`, `3s`, `2m`, `1h` or `7d`: a whole number and a unit, at most `most`.
  static func duration(_ text: String, most: Duration = .seconds(86_400)) -> Duration? {
    guard let (number, unit) = split(text) else { return nil }
    let milliseconds: Int64
    switch unit {
    case "ms": milliseconds = 1
    case "s": milliseconds = 1_000
    case "m": milliseconds = 60_000
    case "h": milliseconds = 3_600_000
    case "d": milliseconds = 86_400_000
    default: return nil
    }
    guard number <= 1_000 * 86_400_000 / milliseconds else { return nil }
    let duration = Duration.milliseconds(number * milliseconds)
    return duration <= most ? duration : nil
  }

  /// Bytes: `32MiB`, `512KiB` or a whole number of bytes, at most `most`.
  static func bytes(_ text: String, most: Int64 = 1 << 30) -> Int? {
    guard let (number, unit) = split(text) else { return nil }
    let size: Int64
    switch unit {
    case "", "B": size = 1
    case "KiB": size = 1 << 10
    case "MiB": size = 1 << 20
    case "GiB": size = 1 << 30
    default: return nil
    }
    guard number <= most / size else { return nil }
    return Int(number * size)
  }

  /// A decimal number without sign or exponent.
  static func decimal(_ text: String) -> Double? {
    guard !text.isEmpty, text.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) else { return nil }
    guard let value = Double(text), value.isFinite else { return nil }
    return value
  }

  /// A whole number, 0 or more.
  static func whole(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy(isDigit) else { return nil }
    return Int(text)
  }

  /// `2.5%` as a share of 1.
  static func share(_ text: String) -> Double? {
    guard text.last == "%", let percent = decimal(String(text.dropLast())) else { return nil }
    return percent / 100
  }

  /// `16:30-00:30`: minutes of the day, half-open; 24:00 is the day's end.
  static func window(_ text: String) -> PriceOverride.Window? {
    let times = text.split(separator: "-", omittingEmptySubsequences: false)
    guard times.count == 2, let from = minute(times[0]), let to = minute(times[1]), from < 1_440 else { return nil }
    return PriceOverride.Window(from: from, to: to)
  }

  private static func minute(_ text: Substring) -> Int? {
    let digits = Array(text.utf8)
    guard digits.count == 5, digits[2] == UInt8(ascii: ":") else { return nil }
    guard let hour = whole(String(text.prefix(2))), let minute = whole(String(text.suffix(2))) else { return nil }
    guard minute < 60, hour < 24 || (hour == 24 && minute == 0) else { return nil }
    return hour * 60 + minute
  }

  private static func split(_ text: String) -> (Int64, Substring)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits) else { return nil }
    return (number, text.dropFirst(digits.count).drop { $0 == " " })
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }
}
