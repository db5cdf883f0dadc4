import Glibc
import Testing

@testable import Catalog

@Suite("Lookups on the request path")
struct LookupTests {
  @Test("Every one of 10,000 names is found by its bytes, and no other name is")
  func tenThousandNames() {
    let names = (0..<10_000).map { "org-\($0 % 7)/modèle-\($0)-日本" }
    let index = NameIndex(names)
    for (place, name) in names.enumerated() {
      let bytes = Array(name.utf8)
      #expect(index.find(bytes) == place)
      #expect(index.find(bytes + [0]) == nil)
      #expect(index.find(Array(bytes.dropLast())) == nil)
    }
  }

  @Test("Names are compared as bytes: no case folding, no Unicode equivalence")
  func exactBytes() {
    let index = NameIndex(["caf\u{e9}", "Chat", "chat", "a", ""])
    func find(_ name: String) -> Int? { index.find(Array(name.utf8)) }
    #expect(find("caf\u{e9}") == 0)
    #expect(find("cafe\u{301}") == nil)
    #expect(find("Chat") == 1)
    #expect(find("chat") == 2)
    #expect(find("CHAT") == nil)
    #expect(find("") == 4)
    #expect(find(String(repeating: "a", count: 1 << 20)) == nil)
    #expect(NameIndex([]).find([]) == nil)
  }

  @Test("A key is found by its digest wherever it stands, and a digest that differs in any one bit is not")
  func keys() throws {
    var text = plainFile + "\nkeys:\n"
    let digests = (0..<40).map { key in (0..<32).map { UInt8(truncatingIfNeeded: key * 7 + $0 * 31 + 1) } }
    for (key, digest) in digests.enumerated() {
      let hex = digest.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
      text += "  client-\(key): { sha256: \"\(hex)\" }\n"
    }
    let table = try table(text)
    for (key, digest) in digests.enumerated() {
      #expect(table.key(digest) == key)
      #expect(table.keys[key].name == "client-\(key)")
      for bit in 0..<256 {
        var other = digest
        other[bit / 8] ^= 1 << (bit % 8)
        #expect(table.key(other) == digests.firstIndex(of: other))
      }
    }
    #expect(table.key([UInt8](repeating: 0, count: 32)) == nil)
    #expect(table.key(Array(digests[0].dropLast())) == nil)
    #expect(table.key([]) == nil)
  }

  @Test("The list of models is JSON with exact decimal prices, and each of its items can be had alone")
  func modelsList() throws {
    let table = try table(
      """
      providers: { "p": { base_url: "https://p.example/v1" } }
      models:
        'a "quoted\\ü/x':
          created: 1700000000
          endpoints:
            - { provider: p, price: { input: 0.13, cached_input: 0.03, cache_write: 0.2, output: 0.38 }, context: 128000 }
      """.replacing("'a \"quoted", with: "'a\"quoted"))
    let item =
      #"{"id":"a\"quoted\\ü/x","object":"model","created":1700000000,"owned_by":"p","name":"a\"quoted\\ü/x","#
      + #""context_length":128000,"pricing":{"prompt":"0.00000013","completion":"0.00000038","#
      + #""input_cache_read":"0.00000003","input_cache_write":"0.0000002"}}"#
    #expect(String(decoding: table.modelsListJSON, as: UTF8.self) == #"{"object":"list","data":["# + item + "]}")
    #expect(table.modelText(#"a"quoted\ü/x"#) == item)
    #expect(table.modelText("nothing") == nil)
  }

  @Test("Names are written to JSON so that they read back the same")
  func jsonStrings() {
    #expect(JSONText.string("a\"b\\c\n\u{1}\u{7f}/é") == Array(#""a\"b\\c\u000a\u0001\u007f/é""#.utf8))
  }

  @Test("A file of 10,000 endpoints compiles, and each of its routes is found")
  func tenThousandEndpoints() throws {
    var text = "providers:\n"
    for provider in 0..<10 { text += "  p\(provider): { base_url: \"https://p\(provider).example/v1\" }\n" }
    text += "models:\n"
    for model in 0..<1_000 {
      text += "  org/model-\(model):\n    endpoints:\n"
      for provider in 0..<10 {
        text +=
          "      - { provider: p\(provider), price: { input: 0.\(provider + 1), output: 1.5 }, context: 128000 }\n"
      }
    }
    let elapsed = try cpuTime {
      let table = try table(text)
      #expect(table.endpoints.count == 10_000)
      #expect(table.route("org/model-999")?.candidates.count == 10)
      #expect(Set(table.endpoints.map(\.id)).count == 10_000)
    }
    #if !DEBUG
      #expect(elapsed < .seconds(1))
    #endif
    print("10,000 endpoints: \(elapsed)")
  }

  /// What this thread computed for: the bounds are those of an idle machine, and tests run beside each other.
  private func cpuTime(_ work: () throws -> Void) rethrows -> Duration {
    func now() -> Duration {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
    let start = now()
    try work()
    return now() - start
  }

  @Test("As JSON, with all that can be declared of each of 10,000 endpoints, it is no different")
  func tenThousandDeclared() throws {
    let providers = (0..<10).map { #""p\#($0)":{"base_url":"https://p\#($0).example/v1"}"# }.joined(separator: ",")
    let models = (0..<1_000).map { model in
      let endpoints = (0..<10).map { provider in
        #"{"provider":"p\#(provider)","price":{"input":0.\#(provider + 1),"output":1.5,"request":0.001},"tag":"p\#(provider)/x","#
          + #""parameters":["temperature","tools"],"inputs":["text","image"],"quantization":"fp8","region":"us","#
          + #""data":{"trains":false,"retains":false},"cache_life":"5m","quality":0.5,"concurrency":9,"node_life":"2h","#
          + #""context":128000,"max_output":4096}"#
      }
      return #""org/model-\#(model)":{"quality":0.7,"endpoints":[\#(endpoints.joined(separator: ","))]}"#
    }
    let text = #"{"providers":{\#(providers)},"models":{\#(models.joined(separator: ","))}}"#
    let elapsed = try cpuTime {
      let table = try table(text)
      #expect(table.endpoints.count == 10_000)
      #expect(table.endpoints.allSatisfy { $0.traits.nodeLife == .seconds(7_200) })
    }
    #if !DEBUG
      #expect(elapsed < .seconds(1))
    #endif
    print("10,000 endpoints with all keys, \(text.utf8.count / 1_000) KB: \(elapsed)")
  }
}

// A span that is made inside `#expect` breaks this compiler (6.3.1), so it is made here.
extension NameIndex {
  fileprivate func find(_ bytes: [UInt8]) -> Int? { find(bytes.span) }
}

extension RouteTable {
  fileprivate func key(_ digest: [UInt8]) -> Int? { keyIndex(digest: digest.span) }

  fileprivate func modelText(_ name: String) -> String? {
    let bytes = Array(name.utf8)
    return modelJSON(named: bytes.span).map { String(decoding: $0, as: UTF8.self) }
  }
}
