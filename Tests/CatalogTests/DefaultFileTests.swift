import FoundationEssentials
import Testing

@testable import Catalog

@Suite("The routes.yaml of the repository")
struct DefaultFileTests {
  private static func text() throws -> String {
    let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try String(contentsOf: repository.appending(path: "routes.yaml"), encoding: .utf8)
  }

  @Test("With nothing around it, it compiles without any diagnostic and serves the simulated story")
  func bare() throws {
    let text = try Self.text()
    #expect(diagnose(text) == [])
    let table = try table(text)
    #expect(table.candidates("chat") == ["sim-thrifty:sim", "sim-steady:sim", "sim-swift:sim"])
    #expect(table.routes.map(\.name) == ["chat", "simulated/story"])
    #expect(table.providers.allSatisfy { $0.isSimulated })
    #expect(table.endpoints.allSatisfy { $0.price != nil })
    #expect(table.endpoints.allSatisfy { $0.traits.continuation == .prefill })
    #expect(table.routes.allSatisfy { !$0.resumes && $0.hedge == nil })
    #expect(table.listeners.limits == Listeners.Limits())
    #expect(table.preset(named: "fast")?.controls.sort == .latency)
  }

  @Test("Its comments name every key that the file may have")
  func comments() throws {
    let comments = try Self.text().split(separator: "\n").filter { $0.hasPrefix("#") }.joined(separator: "\n")
    let words = Set(comments.split { !($0.isLetter || $0.isNumber || $0 == "_") })
    // What a mistake lists when nothing is near: the keys of each kind of map.
    let probes: [(String, String)] = [
      ("providers: { p: { qqqqqqqqqqqq: 1 } }", "in a provider"),
      ("providers: { p: { discover: { qqqqqqqqqqqq: 1 } } }", "in discover"),
      ("models: { m: { qqqqqqqqqqqq: 1 } }", "in a model"),
      ("models: { m: { endpoints: [{ qqqqqqqqqqqq: 1 }] } }", "in an endpoint"),
      ("models: { m: { endpoints: [{ price: { qqqqqqqqqqqq: 1 } }] } }", "in a price"),
      ("routes: { r: { qqqqqqqqqqqq: 1 } }", "in a route"),
      ("routes: { r: { limits: { qqqqqqqqqqqq: 1 } } }", "in limits"),
      ("routes: { r: { rules: [{ qqqqqqqqqqqq: 1 }] } }", "in a rule"),
      ("routes: { r: { rules: [{ when: { qqqqqqqqqqqq: 1 } }] } }", "in when"),
      ("routes: { r: { policy: qqqqqqqqqqqq } }", "unknown policy"),
      ("routes: { r: { hedge: { qqqqqqqqqqqq: 1 } } }", "in hedge"),
      ("models: { m: { endpoints: [{ provider: p, resume: qqqqqqqqqqqq }] } }", "unknown resume"),
      ("keys: { k: { qqqqqqqqqqqq: 1 } }", "in a client key"),
      ("listeners: { qqqqqqqqqqqq: 1 }", "in listeners"),
      ("listeners: { limits: { qqqqqqqqqqqq: 1 } }", "in the listeners' limits"),
      ("presets: { p: { qqqqqqqqqqqq: 1 } }", "in a preset"),
      ("presets: { p: { provider: { qqqqqqqqqqqq: 1 } } }", "in a preset's provider"),
    ]
    for (text, place) in probes {
      let message = try #require(
        diagnose(text).first { $0.contains("qqqq") && $0.contains(place) }, "\(diagnose(text))")
      let list = try #require(message.split(separator: ";").last)
      let named = list.replacing("the keys here are", with: "").replacing(" write ", with: " ")
        .split { !($0.isLetter || $0.isNumber || $0 == "_") }.filter { $0 != "or" }
      #expect(named.count > 1, "\(message)")
      #expect(named.filter { !words.contains($0) } == [], "\(place)")
    }
  }

  @Test(
    "With a key in the environment its provider serves, and no simulated one does",
    arguments: [
      ("OPENROUTER_API_KEY", "openrouter", 3), ("IO_NET_API_KEY", "io-net", 1), ("OPENAI_API_KEY", "openai", 1),
      ("ANTHROPIC_API_KEY", "anthropic", 1), ("TOGETHER_API_KEY", "together", 1), ("GROQ_API_KEY", "groq", 1),
      ("DEEPINFRA_API_KEY", "deepinfra", 1),
    ])
  func withKey(_ variable: String, _ provider: String, _ endpoints: Int) throws {
    let table = try table(Self.text(), CompileInputs(environment: [variable: "test-key"]))
    let chat = try #require(table.route("chat"))
    #expect(chat.candidates.map { table.providers[table.endpoints[$0].provider].name }.allSatisfy { $0 == provider })
    #expect(chat.candidates.count == endpoints)
    let used = table.providers.first { $0.name == provider }
    #expect(used?.credentials == [Secret("test-key")])
    #expect(used?.usesTLS == true)
  }

  @Test("A local engine that answers comes first and costs nothing", arguments: ["llama-cpp", "ollama", "vllm"])
  func localEngine(_ provider: String) throws {
    let inputs = CompileInputs(
      environment: ["IO_NET_API_KEY": "k"], discovered: [provider: [DiscoveredModel(id: "tiny")]])
    let table = try table(Self.text(), inputs)
    #expect(table.candidates("chat") == ["\(provider):tiny", "io-net:meta-llama/Llama-3.3-70B-Instruct"])
    #expect(table.candidates("\(provider)/tiny") == ["\(provider):tiny"])
    #expect(table.route("chat").map { table.endpoints[$0.candidates[0]].price } == Price(input: 0, output: 0))
  }

  @Test("Who is asked at start: the local engines, and those whose key is there")
  func targets() throws {
    let file = try #require(RoutesFile.parse(Self.text()).file)
    let local = file.discoveryTargets(environment: [:]) { _ in "" }
    #expect(local.map(\.provider.name) == ["llama-cpp", "ollama", "vllm"])
    #expect(local.allSatisfy { $0.isOptional && $0.discovers })
    let more = file.discoveryTargets(environment: ["GROQ_API_KEY": "k"]) { _ in "" }
    #expect(more.map(\.provider.name) == ["llama-cpp", "ollama", "vllm", "groq"])
  }
}
