import Testing

@testable import Catalog

@Suite("The compiled table")
struct RouteTableTests {
  @Test("A model's own name is a route, unless a route of that name is written")
  func impliedRoutes() throws {
    let open = try table(plainFile)
    #expect(open.routes.map(\.name) == ["chat", "story"])
    #expect(open.routes.map(\.isImplied) == [false, true])
    #expect(open.candidates("story") == ["near:story", "far:other/story"])
    let taken = try table(plainFile + "\n  story: { models: [story], policy: order }")
    #expect(taken.routes.map(\.name) == ["chat", "story"])
    #expect(taken.route("story")?.isImplied == false)
    #expect(taken.route("story")?.policy == .order([0, 1]))
  }

  @Test("Base URLs, names and prices are prepared")
  func prepared() throws {
    let table = try table(plainFile)
    let (near, far) = (table.providers[0], table.providers[1])
    #expect(near.chatURL == "https://near.example/v1/chat/completions")
    #expect((near.usesTLS, near.host, near.port) == (true, "near.example", 443))
    #expect(far.completionsURL == "http://far.example:8000/api/v1/completions")
    #expect(far.modelsURL == "http://far.example:8000/api/v1/models")
    #expect((far.usesTLS, far.port, far.isLiteralAddress) == (false, 8000, false))
    #expect(near.timeouts == .standard)
    #expect(near.displayNameJSON == Array("\"near\"".utf8))
    #expect(table.endpoints[1].upstreamModelJSON == Array("\"other/story\"".utf8))
    #expect(table.endpoints[1].price == Price(input: 3_000_000, output: 4_000_000))
    #expect(table.models[0].nameJSON == Array("\"story\"".utf8))
    #expect(table.keys.isEmpty)
    #expect(table.listeners == .standard)
  }

  @Test("Literal addresses need no resolver")
  func literalAddresses() throws {
    for (host, expected) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("[2001:DB8::7]", "2001:db8::7")] {
      let url = try BaseURL("http://\(host):8080/v1")
      #expect(url.isLiteralAddress)
      #expect(url.host == expected)
      #expect(url.url("/models") == "http://\(host.lowercased()):8080/v1/models")
    }
    for host in ["[::1", "[1:2]", "[1::2::3]", "1.2.3", "1.2.3.256", "01.2.3.4", "0x7f.0x1", "a..b", "-a", "a b", ""] {
      #expect(throws: BaseURL.Mistake.self) { try BaseURL("http://\(host)/v1") }
    }
  }

  @Test("A route with one real endpoint has no simulated candidate, in no tier")
  func simulatedAreDropped() throws {
    let text = """
      providers:
        toy: { simulated: { first_token: 0ms, tokens_per_second: 0 } }
        real: { base_url: "https://real.example/v1", api_key: "${KEY}", optional: true }
      models:
        toy/story: { endpoints: [{ provider: toy, model: sim, price: { input: 1, output: 1 } }] }
        mixed:
          endpoints:
            - { provider: toy, model: sim, price: { input: 1, output: 1 } }
            - { provider: real, price: { input: 9, output: 9 } }
      routes:
        chat: { models: [toy/story, mixed] }
      """
    let without = try table(text, CompileInputs(simulatorBaseURL: "http://127.0.0.1:9"))
    #expect(without.candidates("chat") == ["toy:sim", "toy:sim@mixed"])
    #expect(without.providers.map(\.displayName) == ["toy (simulated)"])
    #expect(without.providers[0].chatURL == "http://127.0.0.1:9/toy/v1/chat/completions")
    #expect(without.providers[0].simulation == Simulation(firstToken: .zero, tokensPerSecond: 0, jitter: 0.1))
    #expect(String(decoding: without.modelsListJSON, as: UTF8.self).contains("\"name\":\"chat (simulated)\""))

    let with = try table(text, CompileInputs(environment: ["KEY": "k"]))
    #expect(with.candidates("chat") == ["real:mixed"])
    #expect(with.route("chat")?.tiers == [[with.candidateIndex("real:mixed")]])
    #expect(with.candidates("mixed") == ["real:mixed"])
    #expect(with.candidates("toy/story") == ["toy:sim"])
  }

  @Test("An optional provider without its key, or silent, is left out with all that only it serves")
  func optionalProviders() throws {
    let text = plainFile.replacing(
      "    base_url: https://near.example/v1",
      with: """
            base_url: https://near.example/v1
            api_key: [ "${ONE}", { file: two } ]
            optional: true
        """)
    #expect(try table(text).candidates("chat") == ["far:other/story"])
    let one = try table(text, CompileInputs(environment: ["ONE": "1"]))
    #expect(one.candidates("chat") == ["near:story", "far:other/story"])
    #expect(one.providers[0].credentials == [Secret("1")])
    let both = try table(text, CompileInputs(environment: ["ONE": "1"], readSecret: { " \($0)-text\n" }))
    #expect(both.providers[0].credentials.map { $0.reveal() } == ["1", "two-text"])
    let silent = CompileInputs(environment: ["ONE": "1"], unreachableOptional: ["near"])
    #expect(try table(text, silent).candidates("chat") == ["far:other/story"])
    let empty = CompileInputs(environment: ["ONE": ""])
    #expect(try table(text, empty).candidates("chat") == ["far:other/story"])
  }

  @Test("Discovered models are named after their provider, and PROVIDER/* stands for all of them")
  func discovery() throws {
    let text = """
      providers:
        local: { base_url: "http://127.0.0.1:8080/v1", optional: true, discover: true, price: { input: 0, output: 0 } }
        far: { base_url: "https://far.example/v1" }
      models:
        story: { endpoints: [{ provider: far, price: { input: 1, output: 1 } }] }
      routes:
        chat: { models: ["local/*", story], policy: { order: ["local:b", far] } }
      """
    let ids = ["a", "b", "a", "", "bad\nid", "x*", String(repeating: "y", count: 300), "größe:8b"]
    let table = try table(text, CompileInputs(discovered: ["local": ids.map { DiscoveredModel(id: $0) }]))
    #expect(table.models.map(\.name) == ["story", "local/a", "local/b", "local/größe:8b"])
    #expect(table.candidates("chat") == ["local:a", "local:b", "local:größe:8b", "far:story"])
    #expect(table.route("chat")?.tiers.count == 4)
    #expect(table.candidates("local/b") == ["local:b"])
    #expect(table.endpoints.last?.price == Price(input: 0, output: 0))
    guard case .order(let order)? = table.route("chat")?.policy else {
      Issue.record("not an order")
      return
    }
    #expect(order.map { table.endpoints[$0].id } == ["local:b", "far:story", "local:a", "local:größe:8b"])
    // Without an answer the same file holds, and the policy's name for what is not there is no mistake.
    let without = RouteTable.compile(try #require(RoutesFile.parse(text).file), CompileInputs())
    #expect(without.diagnostics == [])
    #expect(without.table?.candidates("chat") == ["far:story"])
  }

  @Test("What is to be asked before compiling: optional and discovered providers whose key is there")
  func discoveryTargets() throws {
    let text = """
      providers:
        a: { base_url: "http://127.0.0.1:1/v1", optional: true }
        b: { base_url: "http://127.0.0.1:2/v1", discover: true, api_key: "${KEY}" }
        c: { base_url: "http://127.0.0.1:3/v1", optional: true, api_key: "${NONE}" }
        d: { base_url: "http://127.0.0.1:4/v1" }
        e: { simulated: {} }
      """
    let file = try #require(RoutesFile.parse(text).file)
    #expect(file.simulatedProviders.map(\.name) == ["e"])
    let targets = file.discoveryTargets(environment: ["KEY": "k"]) { _ in "" }
    #expect(targets.map(\.provider.name) == ["a", "b"])
    #expect(targets.map(\.isOptional) == [true, false])
    #expect(targets.map(\.discovers) == [false, true])
    #expect(targets.map(\.provider.modelsURL) == ["http://127.0.0.1:1/v1/models", "http://127.0.0.1:2/v1/models"])
    #expect(targets[1].provider.credentials == [Secret("k")])
  }

  @Test("Weights are parallel to the candidates; a provider's is shared by its endpoints")
  func weights() throws {
    let text = plainFile.replacing(
      "{ provider: far, model: other/story,",
      with: """
        { provider: far, model: x }
                - { provider: far, model: other/story,
        """.replacing("\n      ", with: "\n    "))
    func policy(_ written: String) throws -> SelectionPolicySpec? {
      try table(text + "\n    policy: \(written)").route("chat")?.policy
    }
    #expect(try policy("weighted") == .weighted([1, 1, 1]))
    #expect(try policy("{ weighted: { near: 1, far: 3 } }") == .weighted([1, 1.5, 1.5]))
    #expect(try policy("{ weighted: { \"far:x\": 2.5 } }") == .weighted([0, 2.5, 0]))
    #expect(try policy("{ weighted: { \"far:x\": 0, far: 4 } }") == .weighted([0, 0, 2]))
    #expect(try policy("order") == .order([0, 1, 2]))
    #expect(try policy("{ order: [far] }") == .order([1, 2, 0]))
    #expect(try policy("{ order: [\"far:other/story\", near] }") == .order([2, 0, 1]))
  }

  @Test("What a route and a provider say about deadlines and leaving clients arrives in the table")
  func settings() throws {
    let text =
      plainFile
      .replacing(
        "    base_url: https://near.example/v1",
        with: """
              base_url: https://near.example/v1
              http: 2
              timeouts: { connect: 500ms, gap: 2m }
              tls: { ca_file: /etc/own.pem }
              headers: { x-team: agents, X-Title: a b }
          """)
      + "\n    on_client_leave: drain\n    drain: { seconds: 7 }\n    timeouts: { first_token: 3s, unstreamed: 1h }\n"
      + "keys:\n  me: { sha256: \(String(repeating: "0aF3", count: 16)) }\n"
      + "listeners:\n  public: { hosts: [Router.Example], origins: [\"https://App.example:443\", \"tauri://localhost\"] }\n"
      + "  max_body: 1MiB\n"
    let table = try table(text)
    let near = table.providers[0]
    #expect(near.httpVersion == .http2)
    #expect(near.caFile == "/etc/own.pem")
    #expect(near.headers == [.init(name: "x-team", value: "agents"), .init(name: "X-Title", value: "a b")])
    let changes = try #require(table.route("chat")?.timeouts)
    #expect(
      near.timeouts.overridden(by: changes)
        == Timeouts(
          connect: .milliseconds(500), headers: .seconds(30), firstToken: .seconds(3), gap: .seconds(120),
          unstreamed: .seconds(3_600)))
    #expect(table.route("chat")?.onClientLeave == .drain(.seconds(7)))
    #expect(table.keys.map(\.digest) == [Array(repeating: [0x0a, 0xf3], count: 16).flatMap { $0 }])
    #expect(table.listeners.public.hosts == ["router.example"])
    #expect(table.listeners.public.origins == ["https://app.example", "tauri://localhost"])
    #expect(table.listeners.maxBody == 1 << 20)
  }

  @Test("A certificate that cannot be used is a mistake at the place where its path, or its key's, is written")
  func certificates() throws {
    let text =
      plainFile + "\nlisteners:\n  public:\n    tls:\n      certificate: chain.pem\n      key: own.key\n"
    let file = try #require(RoutesFile.parse(text).file)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for isKey in [false, true] {
      let line = try #require(lines.firstIndex { $0.hasPrefix(isKey ? "      key:" : "      certificate:") }) + 1
      let inputs = CompileInputs(tryTLS: { files in
        #expect(files.certificate == "chain.pem" && files.key == "own.key")
        return Listeners.TLSFileMistake(isKey: isKey, reason: "no start line")
      })
      let (table, diagnostics) = RouteTable.compile(file, inputs)
      #expect(table == nil)
      let mistake = try #require(diagnostics.first { $0.severity == .error })
      #expect(mistake.line == line && mistake.column == (isKey ? 12 : 20))
      #expect(mistake.message.hasSuffix(": no start line") && mistake.message.contains(isKey ? "own.key" : "chain.pem"))
    }
    #expect(RouteTable.compile(file, CompileInputs()).table?.listeners.public.tls?.key == "own.key")
  }

  @Test("The revision differs with the text and with what was found around it")
  func revision() throws {
    let text = plainFile.replacing("    base_url: https://near", with: "    optional: true\n    base_url: https://near")
    let revisions = [
      try table(text).revision, try table(text + "\n# changed").revision,
      try table(text, CompileInputs(unreachableOptional: ["near"])).revision,
    ]
    #expect(Set(revisions).count == 3)
    #expect(try table(text).revision == revisions[0])
  }

  @Test("A secret shows itself nowhere")
  func secrets() throws {
    let text = plainFile.replacing(
      "    base_url: https://near", with: "    api_key: ${KEY}\n    base_url: https://near")
    let table = try table(text, CompileInputs(environment: ["KEY": "hunter2"]))
    var dumped = ""
    dump(table, to: &dumped)
    #expect(dumped.contains("<secret>"))
    #expect(!dumped.contains("hunter2"))
    #expect("\(table.providers) \(String(reflecting: table.providers[0].credentials))".contains("hunter2") == false)
  }
}

extension RouteTable {
  func candidateIndex(_ id: String) -> Int {
    endpoints.firstIndex { $0.id == id } ?? -1
  }
}
