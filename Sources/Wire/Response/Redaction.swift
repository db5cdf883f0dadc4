/// Takes out of a provider's text what may be a key: some providers repeat the credential that they refuse, and what they
/// say goes to clients who must not know it.
public enum Redaction {
  /// What stands in the place of what was taken out.
  public static let mark = "[redacted]"

  /// Shorter secrets are words like any other.
  private static let secretLimit = 8
  /// A text that was cut may end in the beginning of a secret.
  private static let tailLimit = 6
  private static let prefixes: [StaticString] = [
    "sk-", "sk_", "pk-", "rk_", "key-", "gsk_", "csk-", "xai-", "hf_", "nvapi-", "aiza", "io-v", "fw_", "tgp_",
  ]

  /// The text without the secrets, whatever their case, and without words that look like a key: those with the first
  /// letters of a known kind of key, those behind `Bearer`, and long ones that mix letters and digits.
  public static func redacted(_ text: String, secrets: [String]) -> String {
    var bytes = Array(text.utf8)
    for secret in secrets where secret.utf8.count >= secretLimit { bytes = without(Array(secret.utf8), bytes) }
    return String(decoding: withoutKeys(bytes), as: UTF8.self)
  }

  // MARK: - A secret that is known

  private static func without(_ secret: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var at = 0
    while at < bytes.count {
      let length = common(bytes[at...], secret)
      if length == secret.count || length >= tailLimit && at + length == bytes.count {
        out += mark.utf8
        at += length
      } else {
        out.append(bytes[at])
        at += 1
      }
    }
    return out
  }

  /// How many bytes are the secret's, from the start.
  private static func common(_ bytes: ArraySlice<UInt8>, _ secret: [UInt8]) -> Int {
    var length = 0
    for (byte, expected) in zip(bytes, secret) {
      guard lower(byte) == lower(expected) else { break }
      length += 1
    }
    return length
  }

  // MARK: - What looks like a key

  private static func withoutKeys(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var at = 0
    var isBehindBearer = false
    while at < bytes.count {
      guard isWord(bytes[at]) else {
        out.append(bytes[at])
        at += 1
        continue
      }
      var end = at
      while end < bytes.count, isWord(bytes[end]) { end += 1 }
      var word = bytes[at..<end]
      // The full stop of a sentence.
      while word.last == UInt8(ascii: ".") { word.removeLast() }
      if isKey(word, isBehindBearer: isBehindBearer) { out += mark.utf8 } else { out += word }
      out += bytes[word.endIndex..<end]
      isBehindBearer = starts(word, "bearer") && word.count == 6
      at = end
    }
    return out
  }

  private static func isKey(_ word: ArraySlice<UInt8>, isBehindBearer: Bool) -> Bool {
    if word.count >= secretLimit, prefixes.contains(where: { starts(word, $0) }) { return true }
    if isBehindBearer, word.count >= 20 || word.count >= secretLimit && word.contains(where: isDigit) { return true }
    guard word.count >= 20 else { return false }
    if word.count >= 32, word.count(where: isHexadecimal) >= 20,
      word.allSatisfy({ isHexadecimal($0) || $0 == UInt8(ascii: "-") })
    {
      return true
    }
    // Names of models and parameters are long too, but of short pieces.
    return word.split(whereSeparator: { !isLetter($0) && !isDigit($0) }).contains { piece in
      piece.count >= 32
        || piece.count >= 12 && piece.count(where: isDigit) >= 2 && piece.count(where: isLetter) >= 2
    }
  }

  private static func starts(_ word: ArraySlice<UInt8>, _ prefix: StaticString) -> Bool {
    let expected = UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
    return word.count >= expected.count && zip(word, expected).allSatisfy { lower($0) == $1 }
  }

  private static func lower(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 0x20 : byte }
  private static func isLetter(_ byte: UInt8) -> Bool { lower(byte) >= 97 && lower(byte) <= 122 }
  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    isDigit(byte) || lower(byte) >= 97 && lower(byte) <= 102
  }
  /// Letters, digits and what keys have between them.
  private static func isWord(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || "-_.+=~".utf8.contains(byte)
  }
}

extension ProviderError {
  /// The same without anything that may be a key.
  ///
  /// - Parameter secrets: what was sent to the provider and must not come back.
  public func redacted(secrets: [String]) -> ProviderError {
    var error = self
    error.message = message.map { Redaction.redacted($0, secrets: secrets) }
    error.code = code.map { Redaction.redacted($0, secrets: secrets) }
    error.type = type.map { Redaction.redacted($0, secrets: secrets) }
    return error
  }
}
