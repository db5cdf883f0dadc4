import Loop
import Metering

extension RecordID {
  /// `"gen-…"` with the 32 hexadecimal digits, as a JSON string.
  var generationJSON: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 38) { room, count in
      for (index, byte) in #""gen-"#.utf8.enumerated() { room[index] = byte }
      for index in 0..<32 {
        let word = index < 16 ? high : low
        let digit = UInt8(truncatingIfNeeded: word >> (60 - 4 * UInt64(index % 16)) & 15)
        room[5 + index] = digit < 10 ? 48 + digit : 87 + digit
      }
      room[37] = UInt8(ascii: "\"")
      count = 38
    }
  }

  /// The header lines by which a client can name its request: `x-request-id` and `X-Generation-Id`.
  public func appendFields(to out: inout ByteBuffer) {
    out.append("x-request-id: ")
    out.append(uuid: (high, low))
    out.append("\r\nX-Generation-Id: ")
    generationJSON.withUnsafeBytes { out.append(UnsafeRawBufferPointer(rebasing: $0.dropFirst().dropLast())) }
    out.append("\r\n")
  }
}
