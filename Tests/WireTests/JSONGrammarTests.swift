import Testing

@testable import Wire

/// RFC 8259, by way of a request body that holds the text as one value.
@Suite struct JSONGrammarTests {
  private func accepts(_ value: [UInt8]) -> Bool {
    let body = Array(#"{"model":"m","messages":[1],"x":"#.utf8) + value + Array("}".utf8)
    let asRequest = refusal(body) == nil
    // The chunk reader shares the tokens but walks by another way: both must agree.
    let asChunk = (try? ChunkScan.scan(body.span)) != nil
    let inner = Array(#"{"x":{"y":"#.utf8) + value + Array("}}".utf8)
    let asInner = (try? ChunkScan.scan(inner.span)) != nil
    #expect(asRequest == asChunk && asRequest == asInner, "\(String(decoding: value, as: UTF8.self))")
    return asRequest
  }

  @Test(arguments: [
    "0", "-0", "1", "-1", "10", "1.5", "0.5", "-0.0", "1e5", "1E5", "1e+5", "1e-5", "1.25e400", "0e0", "true", "false",
    "null", "[]", "{}", "[ ]", "{ }", "[1,2]", "[[],{}]", #"{"a":1,"b":[{"c":null}]}"#, #"{"":0}"#, #"{"a":1,"a":2}"#,
    #""""#, #""a""#, #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\u00E9""#, #""\ud834\udd1e""#, #""\uD834\uDD1E""#,
    #""\uffff""#, #""é中𝄞""#, "\"\u{7f}\"", " \t\r\n1 \t\r\n", "123456789012345678901234567890", #""12345678\n""#,
    #""1234567\"8901234567""#,
  ]) func `this is JSON`(_ value: String) { #expect(accepts(Array(value.utf8))) }

  @Test(arguments: [
    "", "01", "-", "-01", "+1", "1.", ".5", "1e", "1e+", "1.e5", "0x1", "1_0", "Infinity", "NaN", "-Infinity", "True",
    "tru", "truee", "nul", "nulL", "undefined", "'a'", "a", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]",
    "{",
    "{]", "[}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, #"{"a" 1}"#, #"{1:1}"#, #"{"a":1 "b":2}"#, #"{"a"::1}"#,
    #"{,"a":1}"#, #"""#, #""a"#, #""\x""#, #""\u12""#, #""\u12g4""#, #""\ud834""#, #""\udd1e""#, #""\ud834\n""#,
    #""\ud834\u0041""#, #""\ud834\ud834""#, #""\""#, "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"1234567\u{1f}\"", "1 2", "1,2",
    "// c\n1", "/* c */1", "\u{feff}1", "\u{a0}1", "1\u{c}", #""a" "b""#,
  ]) func `this is not JSON`(_ value: String) { #expect(!accepts(Array(value.utf8))) }

  @Test(
    arguments: [
      [0xff], [0x80], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc2, 0x41], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf],
      [0xe2, 0x82],
      [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x80, 0x80, 0x80], [0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x9f, 0x98],
      [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80],
    ] as [[UInt8]]) func `a string that is not UTF-8 is refused, wherever it stands`(_ bytes: [UInt8])
  {
    for padding in 0..<10 {
      let text = [UInt8](repeating: UInt8(ascii: "x"), count: padding)
      #expect(!accepts([0x22] + text + bytes + text + [0x22]))
    }
  }

  @Test func `every scalar is accepted in a string`() {
    var text: [UInt8] = [0x22]
    for value in UInt32(0x20)...0x10ffff where value != 0x22 && value != 0x5c {
      if let scalar = Unicode.Scalar(value) { text.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
    }
    #expect(accepts(text + [0x22]))
  }

  @Test func `a quote, an escape and a control character are found at every offset`() {
    for length in 0..<40 {
      let text = [UInt8](repeating: UInt8(ascii: "x"), count: length)
      #expect(accepts([0x22] + text + [0x22]))
      #expect(accepts([0x22] + text + Array(#"\n"#.utf8) + text + [0x22]))
      #expect(!accepts([0x22] + text + [0x1f] + text + [0x22]))
      #expect(!accepts([0x22] + text + [0x22] + text + [0x22]))
    }
  }

  @Test func `only one object is a body`() {
    for body in ["[]", "1", #""a""#, "null", "{}{}", "{} x", "", " ", "{}\u{0}", "\u{feff}{}"] {
      #expect(refusal(body).map { $0.code == .invalidJSON } == true, "\(body)")
    }
  }
}
