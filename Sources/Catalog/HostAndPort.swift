/// `host`, `host:port`, `[v6]` or `[v6]:port`.
struct HostAndPort: Equatable {
  /// Lower case, without brackets.
  let host: String
  let isLiteralAddress: Bool
  let port: UInt16?

  /// `nil` when it is none of these.
  init?(_ text: Substring) {
    let name: Substring
    let tail: Substring
    if text.first == "[" {
      guard let close = text.firstIndex(of: "]") else { return nil }
      name = text[text.index(after: text.startIndex)..<close]
      tail = text[text.index(after: close)...]
      guard Self.isIPv6(name) else { return nil }
      isLiteralAddress = true
    } else {
      name = text.prefix { $0 != ":" }
      tail = text.dropFirst(name.count)
      isLiteralAddress = Self.isIPv4(name)
      guard isLiteralAddress || Self.isName(name) else { return nil }
    }
    if tail.isEmpty {
      port = nil
    } else {
      let digits = tail.dropFirst()
      guard tail.first == ":", digits.utf8.allSatisfy(Self.isDigit), let number = UInt16(digits), number > 0 else {
        return nil
      }
      port = number
    }
    host = name.lowercased()
  }

  /// Letters, digits, `-` and `_` in labels of at most 63. A last label of digits only would be read as an address by
  /// some, so it is no name.
  private static func isName(_ text: Substring) -> Bool {
    let labels = text.split(separator: ".", omittingEmptySubsequences: false)
    guard text.utf8.count <= 253, let last = labels.last, !last.utf8.allSatisfy(isDigit) else { return false }
    guard !last.lowercased().hasPrefix("0x") else { return false }
    return labels.allSatisfy { label in
      !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
        && label.utf8.allSatisfy { isDigit($0) || isLetter($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
  }

  /// Four decimal numbers without leading zeros.
  private static func isIPv4(_ text: Substring) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        part.utf8.allSatisfy(isDigit) && UInt8(part) != nil && (part.count == 1 || part.first != "0")
      }
  }

  /// Eight groups of up to four hexadecimal digits, one run of which may be `::`. No zone, no IPv4 tail.
  private static func isIPv6(_ text: Substring) -> Bool {
    let halves = text.split(separator: "::", maxSplits: 2, omittingEmptySubsequences: false)
    guard halves.count <= 2 else { return false }
    var count = 0
    for half in halves where !half.isEmpty {
      for group in half.split(separator: ":", omittingEmptySubsequences: false) {
        guard (1...4).contains(group.count), group.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return false }
        count += 1
      }
    }
    return halves.count == 2 ? count < 8 : count == 8
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
  }
}
