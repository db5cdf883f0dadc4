import Testing

@testable import Wire

@Suite struct ModelReferenceTests {
  @Test(
    arguments: [
      ("meta/llama", "meta/llama", nil, nil), ("meta/llama:nitro", "meta/llama", "nitro", nil),
      ("meta/llama:free@preset/cheap", "meta/llama", "free", "cheap"), ("@preset/cheap", "", nil, "cheap"),
      ("meta/llama@preset/cheap", "meta/llama", nil, "cheap"), ("x:free:online", "x:free", "online", nil),
      ("x:", "x:", nil, nil), ("x@preset/", "x@preset/", nil, nil), ("registry:5000/x", "registry:5000/x", nil, nil),
      (":nitro", "", "nitro", nil), ("é:floor", "é", "floor", nil),
    ] as [(String, String, String?, String?)])
  func `a name is taken apart`(_ name: String, _ base: String, _ variant: String?, _ preset: String?) {
    let reference = ModelReference(Array(name.utf8).span)
    #expect(reference.whole == name)
    #expect(reference.base == base)
    #expect(reference.variant == variant)
    #expect(reference.preset == preset)
  }

  @Test func `any bytes are taken apart`() {
    var random = SeededRandom(5)
    let alphabet = Array(":@/presta".utf8) + [0xcc, 0x81, 0xff]
    for _ in 0..<5_000 {
      let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      let reference = ModelReference(bytes.span)
      #expect(reference.variant != "" && reference.preset != "")
      let again = ModelReference(Array(reference.whole.utf8).span)
      #expect(again == reference)
    }
  }
}
