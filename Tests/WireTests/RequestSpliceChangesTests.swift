import Foundation
import Testing

@testable import Wire

@Suite struct RequestSpliceChangesTests {
  private func splice(
    _ body: String, dropping: ParameterSet = [], tier: StaticString? = nil, extra: String = "", askUsage: Bool = false
  ) throws -> String {
    let scan = try scan(body)
    var output: [UInt8] = []
    scan.splice(
      Array(body.utf8).span, upstreamModel: Array(#""N""#.utf8), askUsage: askUsage, dropping: dropping, tier: tier,
      extraMembers: Array(extra.utf8)
    ) { output.append($0) }
    return String(decoding: output, as: UTF8.self)
  }

  @Test(arguments: [
    (#"{"models":["a"],"model":"m","messages":[1]}"#, #"{"model":"N","messages":[1]}"#),
    (#"{ "model":"m" , "provider" : {} , "messages":[1]}"#, #"{ "model":"N" , "messages":[1]}"#),
    (#"{"model":"m","messages":[1] , "preset":"x" }"#, #"{"model":"N","messages":[1] }"#),
    (#"{"model":"m","messages":[1],"route":"sort","session_id":"x","models":[]}"#, #"{"model":"N","messages":[1]}"#),
    (
      #"{"prov\u0069der":null,"model":"m","models":[],"messages":[1],"prompt_cache_key":"k"}"#,
      #"{"model":"N","messages":[1],"prompt_cache_key":"k"}"#
    ),
  ]) func `what speaks to the router alone is cut out`(_ body: String, _ expected: String) throws {
    #expect(try splice(body) == expected)
  }

  @Test func `parameters that an endpoint does not take are cut out whole`() throws {
    let body =
      #"{"tools":[{"a":[1]}],"model":"m","messages":[1],"response_format":{"type":"json_schema"},"top_k":5,"seed":1}"#
    #expect(
      try splice(body, dropping: [.tools, .structuredOutputs])
        == #"{"model":"N","messages":[1],"top_k":5,"seed":1}"#)
    #expect(try splice(body, dropping: [.responseFormat, .toolChoice]) == splice(body))
    #expect(
      try splice(body, dropping: [try #require(ParameterSet(name: "seed")), try #require(ParameterSet(name: "top_k"))])
        == #"{"tools":[{"a":[1]}],"model":"N","messages":[1],"response_format":{"type":"json_schema"}}"#)
  }

  @Test func `a tier is put where one stands, or in front`() throws {
    #expect(
      try splice(#"{"model":"m","service_tier":"fast","messages":[1]}"#, tier: #""priority""#)
        == #"{"model":"N","service_tier":"priority","messages":[1]}"#)
    #expect(
      try splice(#"{"model":"m","messages":[1]}"#, tier: #""flex""#)
        == #"{"service_tier":"flex","model":"N","messages":[1]}"#)
    #expect(
      try splice(#"{"model":"m","service_tier":"fast","messages":[1]}"#)
        == #"{"model":"N","service_tier":"fast","messages":[1]}"#)
  }

  @Test func `an endpoint's own members come first`() throws {
    #expect(
      try splice(
        #" { "models":[],"model":"m","messages":[1],"stream":true}"#, extra: #""a":{"b":1},"c":2,"#, askUsage: true)
        == #" {"a":{"b":1},"c":2,"stream_options":{"include_usage":true}, "model":"N","messages":[1],"stream":true}"#)
  }

  @Test func `random bodies mean the same without what is cut, to another reader`() throws {
    var random = SeededRandom(11)
    let pool: [(String, String)] = [
      ("models", #"["a","b"]"#), ("provider", #"{"only":["x"]}"#), ("route", #""sort""#), ("session_id", #""s""#),
      ("preset", #""p""#), ("temperature", "0.5"), ("tools", #"[{"x":"}]"}]"#), ("stop", #"["\"}",",{"]"#),
      ("top_k", "null"), ("response_format", #"{"type":"json_object"}"#), ("service_tier", #""flex""#),
      ("other", #"{"model":"x","tools":[]}"#), ("stream", "false"), ("prompt_cache_key", #""k""#), ("é", "1"),
    ]
    let cut = ["models", "provider", "route", "session_id", "preset"]
    for _ in 0..<3_000 {
      var members = pool.filter { _ in Bool.random(using: &random) }
      members += [("model", #""m""#), ("messages", #"[{"role":"user"}]"#)]
      members.shuffle(using: &random)
      let blank = ["", " ", "\n  "].randomElement(using: &random) ?? ""
      let written = members.map { blank + "\"\($0.0)\"" + blank + ":" + blank + $0.1 + blank }
      let body = "{" + written.joined(separator: ",") + "}"
      let dropped = ["temperature", "tools", "response_format", "stop"].filter { _ in Bool.random(using: &random) }
      let dropping = dropped.compactMap(ParameterSet.init(name:)).reduce(ParameterSet()) { $0.union($1) }
      let output = try splice(body, dropping: dropping)
      let result = try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
      var expected = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
      expected["model"] = "N"
      for name in cut + dropped { expected[name] = nil }
      #expect(NSDictionary(dictionary: result) == NSDictionary(dictionary: expected), "\(body)")
    }
  }
}
