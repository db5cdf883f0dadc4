/// Writes JSON: strings with their escapes, and amounts of money as decimal literals.
public enum JSONText {
  /// Appends a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
  public static func append(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
    let isASCII = bytes.withJSONBytes { bytes in
      for index in 0..<bytes.count where bytes[index] >= 0x80 { return false }
      return true
    }
    if isASCII {
      output.append(UInt8(ascii: "\""))
      for index in bytes.indices { appendEscaped(bytes[index], to: &output) }
      output.append(UInt8(ascii: "\""))
    } else {
      append(bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }, to: &output)
    }
  }

  /// Appends a JSON string, quotes included.
  public static func append(_ text: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 { appendEscaped(byte, to: &output) }
    output.append(UInt8(ascii: "\""))
  }

  /// A text as a JSON string, quotes included.
  public static func quoted(_ text: String) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count + 2)
    append(text, to: &output)
    return output
  }

  /// An amount in nano-USD as a decimal literal in USD, without floating point: 1234567 is `0.001234567`.
  public static func usd(nano amount: Int64) -> [UInt8] {
    let (whole, rest) = amount.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
    var output: [UInt8] = amount < 0 ? [UInt8(ascii: "-")] : []
    append(whole, to: &output)
    guard rest != 0 else { return output }
    output.append(UInt8(ascii: "."))
    var unit: UInt64 = 100_000_000
    var left = rest
    while left != 0 {
      output.append(UInt8(ascii: "0") + UInt8(left / unit))
      left %= unit
      unit /= 10
    }
    return output
  }

  static func append(_ number: some BinaryInteger, to output: inout [UInt8]) {
    output.append(contentsOf: String(number).utf8)
  }

  /// Appends a piece of JSON as it stands.
  static func appendVerbatim(_ text: StaticString, to output: inout [UInt8]) {
    output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private static func appendEscaped(_ byte: UInt8, to output: inout [UInt8]) {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"):
      output.append(UInt8(ascii: "\\"))
      output.append(byte)
    case 0x0a: appendVerbatim("\\n", to: &output)
    case 0x0d: appendVerbatim("\\r", to: &output)
    case 0x09: appendVerbatim("\\t", to: &output)
    case 0..<0x20:
      appendVerbatim("\\u00", to: &output)
      output.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
      let low = byte & 0xf
      output.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
    default: output.append(byte)
    }
  }
}
