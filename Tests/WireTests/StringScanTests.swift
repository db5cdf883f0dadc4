import CScan
import Testing

@testable import Wire

/// The fast walk over strings is held against the plainest one.
@Suite struct StringScanTests {
  /// What `pm_string_stop` promises, byte by byte.
  static func plainStop(_ bytes: [UInt8], from: Int) -> (stop: Int, escaped: Bool) {
    var index = from
    var escaped = false
    while index < bytes.count {
      let byte = bytes[index]
      if byte == 0x22 || byte < 0x20 || byte >= 0x80 { return (index, escaped) }
      if byte == 0x5c {
        guard index + 1 < bytes.count, Array("\"\\/bfnrt".utf8).contains(bytes[index + 1]) else {
          return (index, escaped)
        }
        escaped = true
        index += 2
      } else {
        index += 1
      }
    }
    return (bytes.count, escaped)
  }

  static func check(_ bytes: [UInt8], from: Int) -> Bool {
    let plain = plainStop(bytes, from: from)
    return [pm_string_stop, pm_string_stop_anywhere].allSatisfy { walk in
      var escaped: CInt = 0
      let stop = bytes.withUnsafeBufferPointer { walk($0.baseAddress, from, $0.count, &escaped) }
      return stop == plain.stop && (escaped != 0) == plain.escaped
    }
  }

  @Test func `every length, start and kind of text stops where the plain walk does`() {
    var seed: UInt64 = 42
    func draw(_ limit: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % limit
    }
    // From texts that are nearly all backslashes to plain ones; stops are rare, so that long walks happen.
    let alphabets = ["\\", "\\\\\\n", "\\\\nab\"", "\\ntu/x ", "abcdefgh\\n", "abc"].map { Array($0.utf8) }
    let rare: [UInt8] = [0x22, 0x00, 0x1f, 0x80, 0xff, 0x7f, 0x20]
    var wrong = 0
    for length in 0...200 {
      for alphabet in alphabets {
        for _ in 0..<60 {
          let bytes = (0..<length).map { _ in draw(64) == 0 ? rare[draw(rare.count)] : alphabet[draw(alphabet.count)] }
          if !Self.check(bytes, from: length == 0 ? 0 : draw(min(length, 70))) { wrong += 1 }
        }
      }
    }
    #expect(wrong == 0)
  }

  @Test func `each of the 256 bytes behind a backslash, at every place of a block, is judged as the plain walk does`() {
    var wrong = 0
    for byte in UInt8.min...UInt8.max {
      for place in 0..<64 {
        var bytes = Array(repeating: UInt8(ascii: "a"), count: 130)
        bytes[place] = 0x5c
        bytes[place + 1] = byte
        if !Self.check(bytes, from: 0) { wrong += 1 }
      }
    }
    #expect(wrong == 0)
  }

  @Test func `runs of backslashes of every length cross every block boundary`() {
    var wrong = 0
    for before in 0..<130 {
      for run in 0..<140 {
        for last in [UInt8(ascii: "n"), UInt8(ascii: "u"), UInt8(ascii: "\""), UInt8(ascii: "x")] {
          let bytes = Array(repeating: UInt8(ascii: "a"), count: before) + Array(repeating: 0x5c, count: run) + [last]
          if !Self.check(bytes, from: 0) || !Self.check(bytes.dropLast() + [], from: 0) { wrong += 1 }
        }
      }
    }
    #expect(wrong == 0)
  }
}
