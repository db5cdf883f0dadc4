/// Numbers with units as they are written in routes.yaml.
enum Quantity {
  /// `500ms`, `3s`, `2m` or `1h`: a whole number and a unit, at most 24 hours.
  static func duration(_ text: String) -> Duration? {
    guard let (number, unit) = split(text) else { return nil }
    let milliseconds: Int64
    switch unit {
    case "ms": milliseconds = 1
    case "s": milliseconds = 1_000
    case "m": milliseconds = 60_000
    case "h": milliseconds = 3_600_000
    default: return nil
    }
    guard number <= 86_400_000 / milliseconds else { return nil }
    return .milliseconds(number * milliseconds)
  }

  /// Bytes: `32MiB`, `512KiB` or a whole number of bytes; at most 1 GiB.
  static func bytes(_ text: String) -> Int? {
    guard let (number, unit) = split(text) else { return nil }
    let size: Int64
    switch unit {
    case "", "B": size = 1
    case "KiB": size = 1 << 10
    case "MiB": size = 1 << 20
    case "GiB": size = 1 << 30
    default: return nil
    }
    guard number <= (1 << 30) / size else { return nil }
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

  private static func split(_ text: String) -> (Int64, Substring)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits) else { return nil }
    return (number, text.dropFirst(digits.count).drop { $0 == " " })
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }
}
