import Testing

@testable import Catalog

@Suite("Reading YAML")
struct YAMLReaderTests {
  @Test("An alias stands for what its anchor marks, and mistakes point to the alias")
  func aliases() throws {
    let text = plainFile.replacing("{ input: 1, output: 2 }", with: "&p { input: 1, output: 2 }")
      .replacing("{ input: 3, output: 4 }", with: "*p")
    let table = try table(text)
    #expect(table.endpoints[1].price == Price(input: 1_000_000, output: 2_000_000))
    let bad = text.replacing("input: 1,", with: "inptu: 1,")
    #expect(
      diagnose(bad) == [
        "routes.yaml:9:34: error: a price needs input: USD per million tokens",
        #"routes.yaml:9:39: error: unknown key "inptu" in a price; did you mean "input"?"#,
        "routes.yaml:10:53: error: a price needs input: USD per million tokens",
      ])
  }

  @Test("Aliases that double at every level are refused before they grow")
  func billionLaughs() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...20 {
      let alias = "*a\(level - 1)"
      text += "a\(level): &a\(level) [\(Array(repeating: alias, count: 10).joined(separator: ", "))]\n"
    }
    let found = diagnose(text)
    #expect(found.count == 1)
    #expect(found.first?.contains("error: more than 1000000 values") == true)
  }

  @Test("Aliases as keys cost nothing extra")
  func aliasesAsKeys() {
    var text = "a0: &a0 [x, x]\n"
    for level in 1...15 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    text += "? *a15\n: x\n"
    #expect(diagnose(text).contains { $0.contains("a key must be a name, not a list") })
  }

  @Test("A deeply nested file is refused", arguments: [40, 900, 100_000])
  func depth(_ levels: Int) {
    let text = "a: " + String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    let found = diagnose(text)
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("routes.yaml:1:") == true)
    #expect(found.first?.hasSuffix("error: nested more than 32 levels deep") == true, "\(found)")
  }

  @Test("A chain of aliases cannot go deeper than the text may")
  func depthThroughAliases() {
    var text = "a0: &a0 x\n"
    for level in 1...100 { text += "a\(level): &a\(level) [*a\(level - 1)]\n" }
    #expect(diagnose(text).first?.contains("nested more than 32 levels") == true)
  }

  @Test("More than 4 MiB are not read")
  func size() {
    let text = "# " + String(repeating: "x", count: 4 << 20)
    #expect(diagnose(text) == ["routes.yaml:1:1: error: the file is larger than 4 MiB"])
  }

  @Test("Control characters are refused where they stand")
  func controlCharacters() {
    #expect(diagnose("a: b\nc: \u{0}d\n").first?.hasPrefix("routes.yaml:") == true)
    #expect(diagnose("a: b\nc: \u{0}d\n").first?.contains("this is not YAML") == true)
  }

  @Test("Columns are counted in characters, not in bytes")
  func columns() {
    let text = "models: { \"größe\": 1, \"日本\": 2 }"
    #expect(diagnose(text).contains { $0.hasPrefix("routes.yaml:1:20: error: a model must be a map") })
    #expect(diagnose(text).contains { $0.hasPrefix("routes.yaml:1:29: error: a model must be a map") })
  }

  @Test("Any cut of the default shape ends in a table or in diagnostics")
  func everyCut() {
    for length in 0..<plainFile.count {
      let (file, diagnostics) = RoutesFile.parse(String(plainFile.prefix(length)))
      guard let file else {
        #expect(!diagnostics.isEmpty)
        continue
      }
      let compiled = RouteTable.compile(file, CompileInputs())
      #expect(compiled.table != nil || compiled.diagnostics.contains { $0.severity == .error })
    }
  }
}
