/// A decimal number of an untrusted text, without floating point: 0.00000013 and 1.3e-7 are the same.
struct ExactDecimal: Sendable {
  enum Mistake: Error, Equatable {
    case notANumber
    /// An exponent of more than two digits.
    case exponentOutOfRange
  }

  let isNegative: Bool
  /// Without zeros at either end; empty for zero.
  private let digits: [UInt8]
  /// The number is `digits` × 10^`exponent`.
  private let exponent: Int

  /// Bytes of a number that is read.
  static let textLimit = 128

  /// JSON's grammar of a number, and zeros in front.
  init(_ text: String) throws(Mistake) {
    let bytes = Array(text.utf8)
    guard bytes.count <= Self.textLimit else { throw .notANumber }
    var index = 0
    let isNegative = bytes.first == UInt8(ascii: "-")
    if isNegative { index += 1 }
    var digits = Self.digits(bytes, &index)
    guard !digits.isEmpty else { throw .notANumber }
    var exponent = 0
    if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
      index += 1
      let fraction = Self.digits(bytes, &index)
      guard !fraction.isEmpty else { throw .notANumber }
      digits += fraction
      exponent = -fraction.count
    }
    if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
      index += 1
      let isDown = index < bytes.count && bytes[index] == UInt8(ascii: "-")
      if isDown || index < bytes.count && bytes[index] == UInt8(ascii: "+") { index += 1 }
      let power = Self.digits(bytes, &index).drop { $0 == 0 }
      guard index == bytes.count, let last = bytes.last, Self.isDigit(last) else { throw .notANumber }
      guard power.count <= 2 else { throw .exponentOutOfRange }
      let size = power.reduce(0) { $0 * 10 + Int($1) }
      exponent += isDown ? -size : size
    }
    guard index == bytes.count else { throw .notANumber }
    while digits.last == 0 {
      digits.removeLast()
      exponent += 1
    }
    self.digits = Array(digits.drop { $0 == 0 })
    self.exponent = self.digits.isEmpty ? 0 : exponent
    self.isNegative = isNegative && !self.digits.isEmpty
  }

  var isWhole: Bool { exponent >= 0 }

  /// The number × 10^`scale` to the nearest whole one, halves away from zero; `nil` beyond 18 digits.
  func scaled(by scale: Int) -> Int64? {
    // How many digits are before the point.
    let count = digits.count + exponent + scale
    guard !digits.isEmpty, count >= 0 else { return 0 }
    guard count <= 18 else { return nil }
    var value: Int64 = 0
    for position in 0..<count { value = value * 10 + Int64(position < digits.count ? digits[position] : 0) }
    if count < digits.count, digits[count] >= 5 { value += 1 }
    return isNegative ? -value : value
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  private static func digits(_ bytes: [UInt8], _ index: inout Int) -> [UInt8] {
    var digits: [UInt8] = []
    while index < bytes.count, isDigit(bytes[index]) {
      digits.append(bytes[index] - UInt8(ascii: "0"))
      index += 1
    }
    return digits
  }
}
