/// A decimal number as JSON writes it, exactly: no binary fraction stands between what a client wrote and what it pays.
struct DecimalText {
  let isNegative: Bool
  /// The digits without the point, and without zeros before them; at most 40, of which the last may stand for more.
  private var digits: [UInt8] = []
  /// The power of ten that the last digit counts.
  private var exponent = 0

  /// `nil` when the bytes are no JSON number.
  init?(_ bytes: JSONBytes, _ range: Range<Int>) {
    var part = JSONBytes.NumberPart.start
    let end = JSONBytes(start: bytes.start, count: range.upperBound).numberEnd(from: range.lowerBound, part: &part)
    guard end == range.upperBound, part.isEnd else { return nil }
    var index = range.lowerBound
    isNegative = bytes[index] == UInt8(ascii: "-")
    if isNegative { index += 1 }
    var isFraction = false
    while index < end, bytes[index] | 0x20 != UInt8(ascii: "e") {
      let byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: ".") {
        isFraction = true
        continue
      }
      let digit = byte - UInt8(ascii: "0")
      if digits.count < 40 {
        if !digits.isEmpty || digit != 0 { digits.append(digit) }
        if isFraction { exponent -= 1 }
      } else if !isFraction {
        exponent += 1
      }
    }
    if index < end {
      let negative = bytes[index + 1] == UInt8(ascii: "-")
      var power = 0
      for place in index + 1..<end where bytes[place] &- UInt8(ascii: "0") <= 9 {
        power = min(power * 10 + Int(bytes[place] - UInt8(ascii: "0")), 100_000_000)
      }
      exponent += negative ? -power : power
    }
  }

  /// The number times ten to this power, to the nearest integer, half away from zero; `nil` when it does not fit.
  /// The sign is left out.
  func scaled(by power: Int) -> Int64? {
    guard !digits.isEmpty else { return 0 }
    let shift = exponent + power
    // How many of the digits stand before the point.
    let (whole, tooMany) = digits.count.addingReportingOverflow(shift)
    guard !tooMany, whole <= 19 else { return nil }
    if whole < 0 { return 0 }
    var value: Int64 = 0
    for place in 0..<whole {
      let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, carries) = shifted.addingReportingOverflow(place < digits.count ? Int64(digits[place]) : 0)
      guard !overflows, !carries else { return nil }
      value = sum
    }
    guard whole < digits.count, digits[whole] >= 5 else { return value }
    let (rounded, overflows) = value.addingReportingOverflow(1)
    return overflows ? nil : rounded
  }
}
