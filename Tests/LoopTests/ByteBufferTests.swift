import Testing

@testable import Loop

@Suite struct ByteBufferTests {
  @Test func `Any sequence of operations leaves what it would leave in an array`() {
    var random = SeededRandom(seed: 5)
    var buffer = ByteBuffer()
    var model: [UInt8] = []
    for step in 0..<20_000 {
      switch Int.random(in: 0..<9, using: &random) {
      case 0, 1, 2:
        let piece = (0..<Int.random(in: 0..<300, using: &random)).map { UInt8(truncatingIfNeeded: $0 &+ step) }
        buffer.append(piece)
        model += piece
      case 3:
        buffer.append(byte: UInt8(truncatingIfNeeded: step))
        model.append(UInt8(truncatingIfNeeded: step))
      case 4, 5:
        let count = Int.random(in: 0..<500, using: &random)
        buffer.consume(count)
        model.removeFirst(min(count, model.count))
      case 6:
        let limit = Int.random(in: 1..<200, using: &random)
        let filled = Int.random(in: 0...limit, using: &random)
        let got = buffer.read(
          from: { room, count in
            #expect(count == limit)
            for offset in 0..<filled { room.storeBytes(of: 7, toByteOffset: offset, as: UInt8.self) }
            return filled
          }, limit: limit)
        #expect(got == filled)
        model += Array(repeating: 7, count: filled)
      case 7:
        let offset = Int.random(in: 0..<100, using: &random)
        let piece: [UInt8] = [1, 2, 3, 4]
        piece.withUnsafeBytes { buffer.overwrite(at: offset, with: $0) }
        for (index, byte) in piece.enumerated() where offset + index < model.count { model[offset + index] = byte }
      default:
        let count = Int.random(in: 0..<2_000, using: &random)
        buffer.truncate(to: count)
        model = Array(model.prefix(count))
        if Bool.random(using: &random) { buffer.release() }
      }
      #expect(buffer.count == model.count)
      if step % 16 == 0 { #expect(buffer.array() == model) }
    }
    #expect(buffer.array() == model)
  }

  @Test func `Decimals are written as Swift writes them`() {
    for value in [0, 1, 9, 10, 99, 100, 12_345, 1 << 40, Int.max] {
      var buffer = ByteBuffer()
      buffer.append(decimal: value)
      #expect(String(decoding: buffer.array(), as: UTF8.self) == String(value))
    }
  }

  @Test func `A failed read leaves the buffer as it was`() {
    var buffer = ByteBuffer()
    buffer.append("held")
    #expect(buffer.read(from: { _, _ in -11 }, limit: 100) == -11)
    #expect(buffer.array() == Array("held".utf8))
  }

  @Test func `An empty buffer has an empty span and can be emptied, cut and released`() {
    var buffer = ByteBuffer()
    let count = buffer.withSpan { $0.count }
    #expect(count == 0)
    buffer.consume(5)
    buffer.truncate(to: 3)
    buffer.release()
    buffer.removeAll()
    #expect(buffer.array() == [])
  }
}
