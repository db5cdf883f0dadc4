/// Amounts of money as decimal text, converted exactly: no floating point anywhere.
enum USD {
  /// A price must be below this: 1,000,000 USD per million tokens.
  static let highestPerMillion: Int64 = 1_000_000

  enum Mistake: Error, Equatable {
    case notANumber
    case negative
    case tooManyDigits
    case tooHigh
  }

  /// A price of a request or an image must be below this, in USD.
  static let highestPerUnit: Int64 = 1_000

  /// Pico-USD per token from USD per million tokens as text, such as `0.13`: 6 decimals are all that fit.
  static func picoPerToken(perMillion text: String) throws(Mistake) -> Int64 {
    try amount(text, decimals: 6, below: highestPerMillion)
  }

  /// Pico-USD from USD as text, for what is sold by the piece: 12 decimals are all that fit.
  static func pico(_ text: String) throws(Mistake) -> Int64 {
    try amount(text, decimals: 12, below: highestPerUnit)
  }

  private static func amount(_ text: String, decimals: Int, below limit: Int64) throws(Mistake) -> Int64 {
    var digits = Array(text.utf8)
    if digits.first == UInt8(ascii: "-") {
      digits.removeFirst()
      _ = try magnitude(digits, decimals, limit)
      throw .negative
    }
    return try magnitude(digits, decimals, limit)
  }

  private static func magnitude(_ digits: [UInt8], _ decimals: Int, _ limit: Int64) throws(Mistake) -> Int64 {
    let parts = digits.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, !whole.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) }) else {
      throw .notANumber
    }
    var fraction = parts.count == 2 ? parts[1] : []
    while fraction.last == UInt8(ascii: "0") { fraction.removeLast() }
    guard fraction.count <= decimals else { throw .tooManyDigits }
    guard let dollars = Int64(String(decoding: whole, as: UTF8.self)), dollars < limit else {
      throw .tooHigh
    }
    // The limits are such that nothing overflows: 10^6 times 10^6, 10^3 times 10^12.
    var amount = dollars
    for position in 0..<decimals {
      let digit = position < fraction.count ? fraction[fraction.startIndex + position] - UInt8(ascii: "0") : 0
      amount = amount * 10 + Int64(digit)
    }
    return amount
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  /// USD per token (or by the piece) as a plain decimal number, from pico-USD: 130,000 is `0.00000013`.
  static func perToken(_ pico: Int64) -> String {
    let trillion: Int64 = 1_000_000_000_000
    let digits = String(pico % trillion)
    var fraction = Substring(String(repeating: "0", count: max(0, 12 - digits.count)) + digits)
    while fraction.last == "0" { fraction.removeLast() }
    return fraction.isEmpty ? "\(pico / trillion)" : "\(pico / trillion).\(fraction)"
  }
}
