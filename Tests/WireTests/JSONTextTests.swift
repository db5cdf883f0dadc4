import Testing

@testable import Wire

@Suite struct JSONTextTests {
  @Test func `a text is escaped so that it reads back`() throws {
    let text = "a\"b\\c/\u{0}\u{1}\u{8}\t\n\u{c}\r\u{1f} \u{7f}é中𝄞\u{2028}"
    let quoted = JSONText.quoted(text)
    #expect(
      String(decoding: quoted, as: UTF8.self)
        == "\"a\\\"b\\\\c/\\u0000\\u0001\\u0008\\t\\n\\u000c\\r\\u001f \u{7f}é中𝄞\u{2028}\"")
    #expect(
      try scan(#"{"messages":[1],"model":\#(String(decoding: quoted, as: UTF8.self))}"#).modelName == Array(text.utf8))
  }

  @Test func `bytes that are not UTF-8 become U+FFFD`() {
    func quoted(_ bytes: [UInt8]) -> String {
      var output: [UInt8] = []
      JSONText.append(bytes.span, to: &output)
      return String(decoding: output, as: UTF8.self)
    }
    #expect(quoted([0x61, 0xff, 0x22]) == "\"a\u{fffd}\\\"\"")
    #expect(quoted(Array("é\n".utf8)) == #""é\n""#)
    #expect(quoted([]) == #""""#)
  }

  @Test(
    arguments: [
      (0, "0"), (1, "0.000000001"), (1_234_567, "0.001234567"), (1_000_000_000, "1"), (1_500_000_000, "1.5"),
      (-1, "-0.000000001"), (-2_000_000_001, "-2.000000001"), (10, "0.00000001"), (100_000_000, "0.1"),
      (.max, "9223372036.854775807"), (.min, "-9223372036.854775808"),
    ] as [(Int64, String)]) func `money is a decimal literal without loss`(_ amount: Int64, _ text: String)
  {
    #expect(String(decoding: JSONText.usd(nano: amount), as: UTF8.self) == text)
  }
}
