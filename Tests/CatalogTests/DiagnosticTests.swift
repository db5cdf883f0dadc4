import Testing

@testable import Catalog

@Suite("Mistakes in routes.yaml")
struct DiagnosticTests {
  /// A change of `plainFile` and the diagnostic that it must lead to.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let diagnostic: String
    var testDescription: String { diagnostic }

    init(_ old: String, _ new: String, _ diagnostic: String) {
      self.old = old
      self.new = new
      self.diagnostic = diagnostic
    }
  }

  private static let url = "https://near.example/v1"
  private static let near = "    base_url: https://near.example/v1"
  private static let endpoint = "{ provider: near, price: { input: 1, output: 2 } }"
  private static let chat = "    models: [story]"

  static let mistakes: [Mistake] = [
    Mistake("routes:", "route:", #"routes.yaml:11:1: error: unknown key "route" in the file; did you mean "routes"?"#),
    Mistake(
      near, "    base_ulr: https://near.example/v1",
      #"routes.yaml:3:5: error: unknown key "base_ulr" in a provider; did you mean "base_url"?"#),
    Mistake(
      near, "    zzz: 1", #"routes.yaml:3:5: error: unknown key "zzz" in a provider; the keys here are base_url,"#),
    Mistake(near, "    http: 1", #"routes.yaml:2:3: error: provider "near" has no base_url"#),
    Mistake(near, "    base_url: [a]", "routes.yaml:3:15: error: base_url must be a single value, not a list"),
    Mistake(url, "ftp://near.example/v1", "routes.yaml:3:15: error: a base_url begins with https:// or http://"),
    Mistake(
      url, "https://me:secret@near.example/v1", "routes.yaml:3:15: error: a base_url has no user name or password"),
    Mistake(url, "https://near.example/v1?x=1", "routes.yaml:3:15: error: a base_url has no ? or # part"),
    Mistake(url, "https://near.example:0/v1", "routes.yaml:3:15: error: the host of this base_url is not a host name"),
    Mistake(url, "https://127.1/v1", "routes.yaml:3:15: error: the host of this base_url is not a host name"),
    Mistake(url, "https://näher.example/v1", "routes.yaml:3:15: error: a base_url holds only ASCII"),
    Mistake(
      url, "https://near.example/a/../v1",
      "routes.yaml:3:15: error: the path of this base_url has an empty or dotted part"),
    Mistake(url, "https://near.example/v1/chat/completions", "routes.yaml:3:15: error: leave /chat/completions out"),
    Mistake(near, near + "\n    dialect: gemini", "routes.yaml:4:14: error: the dialect gemini comes later"),
    Mistake(
      near, near + "\n    dialect: opnai", #"routes.yaml:4:14: error: unknown dialect "opnai"; did you mean "openai"?"#),
    Mistake(
      near, near + "\n    api_key: ${NOT_THERE}",
      "routes.yaml:4:14: error: the environment variable NOT_THERE is not set"),
    Mistake(near, near + "\n    api_key: ${NOT THERE}", #"routes.yaml:4:14: error: "${NOT THERE}" is not ${VARIABLE}"#),
    Mistake(
      near, near + "\n    api_key: Bearer ${KEY}", "routes.yaml:4:14: error: this api_key is neither ${VARIABLE} nor"),
    Mistake(near, near + "\n    api_key: { file: gone }", #"routes.yaml:4:14: error: the file "gone" cannot be read"#),
    Mistake(near, near + "\n    api_key: { path: gone }", #"routes.yaml:4:16: error: unknown key "path" in api_key"#),
    Mistake(near, near + "\n    api_key: []", "routes.yaml:4:14: error: the list of api_key is empty"),
    Mistake(near, near + "\n    api_key: \"a\\nb\"", "routes.yaml:4:14: error: this api_key is neither"),
    Mistake(
      near, near + "\n    api_key: ${BROKEN}",
      "routes.yaml:4:14: error: the environment variable BROKEN is not one line"),
    Mistake(near, near + "\n    headers: { host: a }", "routes.yaml:4:16: error: the header host cannot be set here"),
    Mistake(
      near, near + "\n    headers: { Authorization: a }",
      "routes.yaml:4:16: error: the header Authorization cannot be set here; write the key under api_key"),
    Mistake(near, near + "\n    headers: { \"a b\": a }", #"routes.yaml:4:16: error: "a b" is no header name"#),
    Mistake(
      near, near + "\n    headers: { x-a: \"1\\r\\nx-b: 2\" }",
      "routes.yaml:4:21: error: the header x-a must be printable ASCII on one line"),
    Mistake(near, near + "\n    headers: { x-a: 1, X-A: 2 }", "routes.yaml:4:24: error: the header X-A is here twice"),
    Mistake(near, near + "\n    headers: x", "routes.yaml:4:14: error: headers must be a map"),
    Mistake(near, near + "\n    http: 3", #"routes.yaml:4:11: error: http must be 1 or 2, not "3""#),
    Mistake(near, near + "\n    optional: yes", #"routes.yaml:4:15: error: optional must be true or false, not "yes""#),
    Mistake(
      near, near + "\n    timeouts: { connect: 3 }",
      #"routes.yaml:4:26: error: "3" is not a duration for connect; write 500ms, 3s or 2m"#),
    Mistake(near, near + "\n    timeouts: { gap: 0s }", #"routes.yaml:4:22: error: "0s" is not a duration for gap"#),
    Mistake(near, near + "\n    timeouts: 3s", "routes.yaml:4:15: error: timeouts must be a map with connect,"),
    Mistake(near, near + "\n    tls: { ca: x }", #"routes.yaml:4:12: error: unknown key "ca" in tls"#),
    Mistake(near, near + "\n    simulated: {}", "routes.yaml:3:5: error: base_url has no meaning beside simulated"),
    Mistake(
      near, "    simulated: { jitter: 2 }",
      #"routes.yaml:3:26: error: jitter must be a number from 0.0 to 1.0, not "2""#),
    Mistake("  near:\n", "  -near:\n", #"routes.yaml:2:3: error: "-near" is no name for a provider"#),
    Mistake("  far:\n", "  near:\n", #"routes.yaml:4:3: error: the key "near" is here twice, first in line 2"#),
    Mistake("  far:\n", "  ? [a]\n  :\n", "routes.yaml:4:5: error: a key must be a name, not a list"),
    Mistake("providers:\n  near:", "providers:\n  far: x\n  near:", "routes.yaml:2:8: error: a provider must be a map"),
    Mistake(
      endpoint, "{ provider: neer }", #"routes.yaml:9:21: error: there is no provider "neer"; did you mean "near"?"#),
    Mistake(endpoint, "{ model: x }", "routes.yaml:9:9: error: this endpoint has no provider"),
    Mistake(endpoint, "near", "routes.yaml:9:9: error: an endpoint must be a map"),
    Mistake(
      "other/story", "story, provider: near",
      #"routes.yaml:10:40: error: the key "provider" is here twice, first in line 10"#),
    Mistake("far, model: other/story", "near", #"routes.yaml:10:9: error: model "story" has this endpoint twice"#),
    Mistake("input: 1,", "input: -1,", #"routes.yaml:9:43: error: the price "-1" for input is negative"#),
    Mistake("input: 1,", "input: 1e3,", #"routes.yaml:9:43: error: the price "1e3" for input is not a plain number"#),
    Mistake(
      "input: 1,", "input: 0.0000001,",
      #"routes.yaml:9:43: error: the price "0.0000001" for input has more than 6 decimals"#),
    Mistake(
      "input: 1,", "input: 1000000,", #"routes.yaml:9:43: error: the price "1000000" for input is not below 1000000"#),
    Mistake("input: 1,", "cached_input: 1,", "routes.yaml:9:34: error: a price needs input"),
    Mistake(
      endpoint, "{ provider: near, context: 0 }", #"routes.yaml:9:36: error: context must be a whole number from 1"#),
    Mistake(
      endpoint, "{ provider: near, model: \"a\\nb\" }",
      "routes.yaml:9:34: error: this model name has control characters"),
    Mistake(
      "    endpoints:\n", "    endpoints: []\n    created: 1\n    x:\n",
      "routes.yaml:8:5: error: the list of endpoints is empty"),
    Mistake("    endpoints:\n", "    created:\n", #"routes.yaml:7:3: error: model "story" has no endpoints"#),
    Mistake(chat, "    models: []", #"routes.yaml:13:13: error: route "chat" has an empty list of models"#),
    Mistake(chat, "    policy: default", #"routes.yaml:12:3: error: route "chat" has no models"#),
    Mistake(
      chat, "    models: story", "routes.yaml:13:13: error: models must be a list such as [a, b], not a single value"),
    Mistake(
      chat, "    models: [stroy]", #"routes.yaml:13:14: error: there is no model "stroy"; did you mean "story"?"#),
    Mistake(chat, "    models: [story, story]", #"routes.yaml:13:21: error: model "story" is in this route twice"#),
    Mistake(chat, "    models: [near/*]", #"routes.yaml:13:14: error: the models of "near" are not discovered"#),
    Mistake(
      chat, "    models: [nera/*]", #"routes.yaml:13:14: error: there is no provider "nera"; did you mean "near"?"#),
    Mistake(
      chat, chat + "\n    policy: wieghted",
      #"routes.yaml:14:13: error: unknown policy "wieghted"; did you mean "weighted"?"#),
    Mistake(
      chat, chat + "\n    policy: { latency: {} }",
      "routes.yaml:14:24: error: the policy latency has no settings; write policy: latency"),
    Mistake(
      chat, chat + "\n    policy: { order: [near], weighted: {} }", "routes.yaml:14:13: error: a policy has one name"),
    Mistake(
      chat, chat + "\n    policy: { order: [fra] }",
      #"routes.yaml:14:23: error: route "chat" has no endpoint or provider "fra"; did you mean "far"?"#),
    Mistake(
      chat, chat + "\n    policy: { weighted: { \"near:x\": 1 } }",
      #"routes.yaml:14:27: error: route "chat" has no endpoint or provider "near:x""#),
    Mistake(
      chat, chat + "\n    policy: { weighted: { near: -1 } }",
      #"routes.yaml:14:33: error: the weight of "near" must be a number"#),
    Mistake(
      chat, chat + "\n    policy: { weighted: { near: 0 } }",
      "routes.yaml:14:25: error: at least one weight must be above 0"),
    Mistake(
      chat, chat + "\n    on_client_leave: wait",
      #"routes.yaml:14:22: error: on_client_leave must be cancel or drain, not "wait""#),
    Mistake(
      chat, chat + "\n    drain: { seconds: 4000 }",
      "routes.yaml:14:23: error: seconds must be a whole number from 1 to 3600"),
    Mistake(
      chat, chat + "\nkeys: { a: { sha256: abc } }", "routes.yaml:14:22: error: sha256 must be 64 hexadecimal digits"),
    Mistake(chat, chat + "\nkeys: { a: {} }", #"routes.yaml:14:9: error: key "a" has no sha256"#),
    Mistake(chat, chat + "\nkeys: [a]", "routes.yaml:14:7: error: keys must be a map from key names, not a list"),
    Mistake(chat, chat + "\nlisteners: { max_body: 3 MB }", #"routes.yaml:14:24: error: "3 MB" is not a size"#),
    Mistake(
      chat, chat + "\nlisteners: { public: { hosts: [\"http://a\"] } }",
      #"routes.yaml:14:32: error: "http://a" is not a host name"#),
    Mistake(
      chat, chat + "\nlisteners: { admin: { origins: [a.example] } }",
      #"routes.yaml:14:33: error: "a.example" is not an origin"#),
    Mistake(
      chat, chat + "\nlisteners: { public: { tls: { certificate: a.pem } } }",
      "routes.yaml:14:24: error: tls needs key: the path of a PEM file"),
    Mistake(
      chat, chat + "\nlisteners: { public: { tls: { certificate: a.pem, key: [] } } }",
      "routes.yaml:14:56: error: key must be a single value, not a list"),
    Mistake(
      chat, chat + "\nlisteners: { public: { tls: yes } }",
      "routes.yaml:14:29: error: tls must be a map with certificate or key, not a single value"),
    Mistake(
      chat, chat + "\nlisteners: { admin: { tls: {} } }",
      #"routes.yaml:14:23: error: unknown key "tls" in the admin listener"#),
    Mistake(chat, chat + "\n    x: !!str y", "routes.yaml:14:8: error: tags such as !!str are not used here"),
    Mistake(chat, chat + "\n    x: *none", "routes.yaml:14:8: error: no anchor &none stands above this alias"),
    Mistake(chat, chat + "\n---\na: b", "routes.yaml:14:1: error: a second document begins here"),
    Mistake(chat, chat + "\n   x: [", "routes.yaml:14:4: error: this is not YAML:"),
    // Doubtful, but no hindrance.
    Mistake(
      near, near + "\n    api_key: sk-plain-secret",
      #"routes.yaml:4:14: warning: the key of "near" stands here in plain text"#),
    Mistake(
      near, near + "\n    headers: { x-api-key: abc }",
      "routes.yaml:4:27: warning: the header x-api-key seems to hold a secret"),
    Mistake(
      near, near + "\n    price: { input: 1, output: 1 }",
      "routes.yaml:4:5: warning: this price is only for discovered models"),
    Mistake(endpoint, "{ provider: near }", "routes.yaml:9:9: warning: this endpoint has no price"),
    Mistake("- \(endpoint)\n      ", "", #"routes.yaml:2:3: warning: no endpoint uses the provider "near""#),
    Mistake(
      near, "    simulated: {}",
      #"routes.yaml:12:3: warning: route "chat" has a real endpoint, so its simulated ones are left out"#),
    Mistake(
      chat, chat + "\n    drain: { seconds: 5 }",
      "routes.yaml:14:5: warning: drain does nothing without on_client_leave: drain"),
    Mistake(near, near + "\n    discover: true", #"routes.yaml:2:3: warning: the models of "near" could not be read"#),
  ]

  @Test("Every mistake is named with its place", arguments: mistakes)
  func everyMistakeIsNamed(_ mistake: Mistake) throws {
    #expect(plainFile.contains(mistake.old), "the change must change something")
    let text = plainFile.replacing(mistake.old, with: mistake.new, maxReplacements: 1)
    let found = diagnose(text, CompileInputs(environment: ["BROKEN": "a\nb"]))
    #expect(found.contains { $0.hasPrefix(mistake.diagnostic) }, "\(found.joined(separator: "\n"))")
  }

  @Test("Errors make no table, warnings do", arguments: mistakes)
  func onlyErrorsStopTheTable(_ mistake: Mistake) {
    let text = plainFile.replacing(mistake.old, with: mistake.new, maxReplacements: 1)
    guard let file = RoutesFile.parse(text).file else { return }
    let (table, diagnostics) = RouteTable.compile(file, CompileInputs(environment: ["BROKEN": "a\nb"]))
    #expect((table == nil) == diagnostics.contains { $0.severity == .error })
    #expect((table == nil) == mistake.diagnostic.contains(": error: "))
  }

  @Test("The file that the changes start from has no mistake")
  func plainFileIsPlain() {
    #expect(diagnose(plainFile) == [])
  }

  @Test("A file with ten different mistakes names all ten, in the order of lines")
  func tenMistakesAtOnce() {
    let text = """
      providers:
        near:
          base_url: ftp://near.example
          timeouts: { gap: soon }
          api_key: ${NOT_THERE}
        near: {}
      models:
        story:
          endpoints:
            - { provider: nowhere, price: { input: -1, output: 2 } }
      routes:
        chat:
          models: [unknown]
          polcy: order
        empty:
          models: []
      keys:
        me: { sha256: 12 }
      """
    let places = diagnose(text).map { $0.prefix { $0 != " " } }
    #expect(
      places.filter { $0 != "routes.yaml:2:3:" } == [
        "routes.yaml:3:15:", "routes.yaml:4:22:", "routes.yaml:5:14:", "routes.yaml:6:3:", "routes.yaml:10:21:",
        "routes.yaml:10:46:", "routes.yaml:13:14:", "routes.yaml:14:5:", "routes.yaml:16:13:", "routes.yaml:18:17:",
      ], "\(diagnose(text).joined(separator: "\n"))")
  }

  @Test("No diagnostic repeats a secret")
  func secretsStayOut() {
    let text = """
      providers:
        a: { base_url: "https://me:hunter2hunter2@a.example", api_key: "hunter2hunter2" }
        b: { base_url: "https://b.example", api_key: "hunter2\\nhunter2", headers: { x-token: "hunter2\\nhunter2" } }
      keys: { c: { sha256: hunter2hunter2 } }
      """
    let found = diagnose(text)
    #expect(found.count >= 5)
    #expect(!found.joined().contains("hunter2"))
  }

  @Test(
    "An empty file, a list and a single value are told what a file needs", arguments: ["", "- a", "hello", "# only"])
  func noMap(_ text: String) {
    let found = diagnose(text)
    #expect(found.count == 1)
    #expect(found.first?.contains("error: the file holds no map") == true)
  }

  @Test("A file of ten thousand mistakes has an end")
  func mistakesAreBounded() {
    let text = "providers:\n" + (0..<10_000).map { "  p\($0): { base_url: x, foo: 1 }\n" }.joined()
    let found = diagnose(text)
    #expect(found.count == MistakeList.most)
    #expect(found.first == "routes.yaml:2:19: error: a base_url begins with https:// or http://")
  }
}
