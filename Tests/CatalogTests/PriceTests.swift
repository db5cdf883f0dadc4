import Testing

@testable import Catalog

@Suite("Prices")
struct PriceTests {
  @Test(
    "USD per million tokens are read exactly, whatever a Double would make of them",
    arguments: [
      ("0.13", 130_000), ("0.000001", 1), ("0", 0), ("1", 1_000_000), ("2.50", 2_500_000), ("0.1", 100_000),
      ("0.3", 300_000), ("999999.999999", 999_999_999_999), ("1.0000000", 1_000_000), ("007.5", 7_500_000),
    ] as [(String, Int64)])
  func exact(_ text: String, _ pico: Int64) throws {
    #expect(try USD.picoPerToken(perMillion: text) == pico)
  }

  @Test("What is no price says why")
  func mistakes() {
    for text in ["", ".", "1.", ".5", "1.2.3", "1,5", "1e3", "+1", "0x1", " 1", "١", "-", "-x", "nan", "inf"] {
      #expect(throws: USD.Mistake.notANumber) { try USD.picoPerToken(perMillion: text) }
    }
    #expect(throws: USD.Mistake.negative) { try USD.picoPerToken(perMillion: "-0.5") }
    #expect(throws: USD.Mistake.tooManyDigits) { try USD.picoPerToken(perMillion: "0.1234567") }
    #expect(throws: USD.Mistake.tooHigh) { try USD.picoPerToken(perMillion: "1000000") }
    #expect(throws: USD.Mistake.tooHigh) { try USD.picoPerToken(perMillion: "99999999999999999999") }
  }

  @Test("Every price of up to 6 decimals survives the way through text")
  func roundTrip() throws {
    for pico: Int64 in [0, 1, 9, 10, 123_456, 130_000, 999_999, 1_000_001, 999_999_999_999] {
      let text = USD.perToken(pico)
      let digits = text.split(separator: ".")
      let fraction = digits.count == 2 ? digits[1] : ""
      #expect(Int64("0\(fraction)" + String(repeating: "0", count: 12 - fraction.count)) == pico)
    }
    #expect(USD.perToken(130_000) == "0.00000013")
    #expect(USD.perToken(1_500_000_000_000) == "1.5")
  }

  @Test("The version of a price is the same in every process and differs with each value")
  func version() {
    let price = Price(input: 130_000, cachedInput: 30_000, output: 380_000)
    #expect(price.version == 0xb2cd_6c6e_fb0f_b407)
    let versions: Set<UInt64> = [
      price.version, Price(input: 130_000, output: 380_000).version,
      Price(input: 130_000, cacheWrite: 30_000, output: 380_000).version,
      Price(input: 130_001, cachedInput: 30_000, output: 380_000).version,
      Price(input: 130_000, cachedInput: 30_000, output: 380_001).version,
    ]
    #expect(versions.count == 5)
  }
}
