import Catalog

/// `X-Pointsman-Provider` and `X-Pointsman-Model`: who served an answer.
enum ServedFields {
  static func of(_ place: Int, in table: RouteTable) -> [UInt8] {
    let endpoint = table.endpoints[place]
    return Array("X-Pointsman-Provider: ".utf8) + encoded(table.providers[endpoint.provider].displayName)
      + Array("\r\nX-Pointsman-Model: ".utf8) + encoded(table.models[endpoint.model].name) + Array("\r\n".utf8)
  }

  /// A name from the configuration as a header value: printable ASCII stays, everything else is percent-encoded, so that
  /// no name can break a header line.
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
