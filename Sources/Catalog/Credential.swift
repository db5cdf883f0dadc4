/// What may be sent as a credential or a fixed header value.
enum Credential {
  /// Printable ASCII with spaces and tabs only inside, 1 byte to 8 KiB: it cannot end its header line.
  static func isSendable(_ text: String) -> Bool {
    let bytes = text.utf8
    guard !bytes.isEmpty, bytes.count <= 8 << 10 else { return false }
    guard let first = bytes.first, let last = bytes.last, first > 0x20, last > 0x20 else { return false }
    return bytes.allSatisfy { ($0 >= 0x20 && $0 < 0x7f) || $0 == 0x09 }
  }
}
