/// Names from the configuration as header values: printable ASCII stays, everything else is percent-encoded, so that
/// no name can break a header line.
enum HeaderText {
  static func encoded(_ name: String) -> [UInt8] {
    var bytes: [UInt8] = []
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in name.utf8 {
      if byte >= 0x20, byte < 0x7f, byte != UInt8(ascii: "%") {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return bytes
  }
}
