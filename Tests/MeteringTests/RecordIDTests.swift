import Metering
import Testing

@Suite struct RecordIDTests {
  @Test func textIsCanonicalAndReadsBack() throws {
    let id = RecordID(high: 0x0192_F0A1_B2C3_7DEF, low: 0x8123_4567_89AB_CDEF)
    #expect(id.description == "0192f0a1-b2c3-7def-8123-456789abcdef")
    #expect(id.hex == "0192f0a1b2c37def8123456789abcdef")
    #expect(RecordID(id.description) == id)
    #expect(RecordID(id.hex) == id)
    #expect(RecordID(id.description.uppercased()) == id)
    #expect(id.unixMilliseconds == 0x0192_F0A1_B2C3)
  }

  @Test(arguments: [
    "", "0192f0a1-b2c3-7def-8123-456789abcde", "0192f0a1-b2c3-7def-8123-456789abcdeff",
    "0192f0a1b2c3-7def-8123-456789abcdef", "0192f0a1-b2c3-7def-8123456789abcdef", "g192f0a1b2c37def8123456789abcdef",
    "0192f0a1-b2c3-7def-8123-456789abcdef-", "-0192f0a1b2c37def8123456789abcdef",
  ])
  func textThatIsNoIdIsRefused(text: String) { #expect(RecordID(text) == nil) }

  @Test func anIdHasItsTimeItsVersionAndItsVariant() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<1_000 {
      let id = RecordID.make(unixMilliseconds: 1_790_000_000_123, random: &random)
      #expect(id.unixMilliseconds == 1_790_000_000_123)
      #expect(id.high >> 12 & 0xF == 7)
      #expect(id.low >> 62 == 0b10)
    }
  }

  @Test func idsOfALoopAscendAlsoWhenTheClockStandsOrGoesBack() {
    var ids = RecordIDSource(seed: 7)
    var last = ids.next(unixMilliseconds: 1_000)
    for step in 0..<200_000 {
      let next = ids.next(unixMilliseconds: step % 3 == 0 ? 1_000 : 999)
      #expect(next > last)
      #expect(next.high >> 12 & 0xF == 7 && next.low >> 62 == 0b10)
      last = next
    }
    #expect(ids.next(unixMilliseconds: 5_000).unixMilliseconds == 5_000)
    #expect(RecordID(last.description) == last)
  }
}
