import Glibc
import Simulator
import Testing

@Suite struct FaultTests {
  /// Every model name of which only the status and one header field matter.
  static let refusals: [(model: String, status: Int, field: String, value: String?)] = [
    ("sim-429", 429, "retry-after", nil), ("sim-429-after-7", 429, "retry-after", "7"),
    ("sim-429-after-ms-1500", 429, "retry-after-ms", "1500"), ("sim-429-past", 429, "retry-after", "-1"),
    ("sim-429-garbage", 429, "retry-after", "soon"), ("sim-429-reset-3", 429, "x-ratelimit-reset-requests", "3s"),
    ("sim-401", 401, "content-type", "application/json"), ("sim-402", 402, "retry-after", nil),
    ("sim-403", 403, "retry-after", nil), ("sim-404", 404, "retry-after", nil), ("sim-408", 408, "retry-after", nil),
    ("sim-500", 500, "retry-after", nil), ("sim-503", 503, "retry-after", nil), ("sim-529", 529, "retry-after", nil),
    ("vendor/sim@429@after@7", 429, "retry-after", "7"), ("sim-html-502", 502, "content-type", "text/html"),
    ("sim-redirect", 307, "location", "?redirected=1"), ("sim-400-context", 400, "retry-after", nil),
  ]

  @Test(arguments: refusals) func aRefusalHasItsStatusAndItsHint(
    _ row: (model: String, status: Int, field: String, value: String?)
  ) throws {
    try withSimulator { simulator in
      for stream in [true, false] {
        let reply = try RawClient(port: simulator.port).complete(row.model, stream: stream)
        #expect(reply.status == row.status)
        #expect(reply.field(row.field) == row.value)
        #expect(reply.end == .complete)
      }
    }
  }

  @Test func theOtherHintsAreADateAndADelayInTheBody() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let date = try #require(client.complete("sim-429-date").field("retry-after"))
      #expect(date.wholeMatch(of: /[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil)
      #expect(client.complete("sim-429-body").text.contains("\"retryDelay\":\"2s\""))
      #expect(client.complete("sim-429-message-1050").text.contains("Please try again in 1.050s."))
      #expect(client.complete("sim-429-spend").text.contains("\"insufficient_quota\""))
    }
  }

  @Test func aCutIsAtExactlyItsByteOfTheBodyAndEndsAsItsNameSays() throws {
    try withSimulator { simulator in
      let whole = try RawClient(port: simulator.port).complete("sim-cut-at-99999", stream: true)
      #expect(whole.end == .finish)
      #expect(whole.events.last == "[DONE]")
      #expect(whole.events.count == 1 + 60 + 1 + 1)
      let sizes = [0, 1, 17, 300, whole.body.count / 2, whole.body.count - 15, whole.body.count - 1, whole.body.count]
      for size in sizes {
        let digits = String(size + 100_000).dropFirst()
        for (model, end) in [("cut-at", RawClient.End.finish), ("cutclean-at", .complete), ("rst-at", .reset)] {
          let reply = try RawClient(port: simulator.port).complete("sim-\(model)-\(digits)", stream: true)
          #expect(reply.body.count == size)
          #expect(reply.end == end)
        }
      }
      let unstreamed = try RawClient(port: simulator.port).complete("sim-cut-at-40")
      #expect(unstreamed.body.count == 40)
      #expect(unstreamed.end == .finish)
      #expect(unstreamed.field("content-length") != nil)
    }
  }

  @Test func aConnectionCanEndWithoutAByte() throws {
    try withSimulator { simulator in
      let closed = try RawClient(port: simulator.port).complete("sim-no-headers")
      #expect(closed.status == 0 && closed.end == .finish)
      let reset = try RawClient(port: simulator.port).complete("sim-reset")
      #expect(reset.status == 0 && reset.end == .reset)
    }
  }

  @Test func aStaleConnectionAnswersOnceAndIsClosedUnderTheNextRequest() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      #expect(client.complete("sim-stale").status == 200)
      let second = client.complete("sim")
      #expect(second.status == 0 && second.end == .finish)
      for model in ["sim-stale-now", "sim-close-idle-5"] {
        let closing = try RawClient(port: simulator.port)
        let first = closing.complete(model)
        #expect(first.status == 200 && first.field("connection") == nil)
        #expect(closing.readReply().end == .finish)
      }
    }
  }

  @Test func aFaultOnceIsTheFirstAttemptOfAConversationAtAProvider() throws {
    try withSimulator(providers: [SimulatedProvider(name: "other")]) { simulator in
      let client = try RawClient(port: simulator.port)
      #expect(client.complete("sim-once-503", prompt: "a").status == 503)
      #expect(client.complete("sim-once-503", prompt: "a").status == 200)
      #expect(client.complete("sim-once-503", prompt: "b").status == 503)
      let path = "/other/v1/chat/completions"
      #expect(client.complete("sim-once-503", path: path, prompt: "a").status == 503)
      #expect(client.complete("sim-once-503", path: path, prompt: "a").status == 200)
    }
  }

  @Test func aFaultInPercentIsSpreadEvenly() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let failed = (0..<200).count { _ in client.complete("sim-500-percent-5").status == 500 }
      #expect(failed == 10)
    }
  }

  @Test func streamsLackWhatTheirNamesSay() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let asked = ",\"stream_options\":{\"include_usage\":true}"
      let noDone = client.complete("sim-no-done", stream: true)
      #expect(!noDone.text.contains("[DONE]") && noDone.text.contains("\"finish_reason\":\"stop\""))
      let noFinish = client.complete("sim-no-finish", stream: true)
      #expect(!noFinish.text.contains("\"finish_reason\":\"") && noFinish.end == .complete)
      let noUsage = client.complete("sim-no-usage", stream: true, members: asked)
      #expect(!noUsage.text.contains("prompt_tokens") && noUsage.events.last == "[DONE]")
      let empty = client.complete("sim-empty", stream: true, members: asked)
      #expect(try empty.content().isEmpty)
      #expect(try empty.chunks().last?.usage?.completion_tokens == 0)
      #expect(client.complete("sim-length", stream: true).text.contains("\"finish_reason\":\"length\""))
      #expect(client.complete("sim-content-filter", stream: true).text.contains("\"finish_reason\":\"content_filter\""))
    }
  }

  @Test func anErrorEventComesWhereItsNameSays() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let first = client.complete("sim-error-first", stream: true)
      #expect(first.status == 200 && first.events.count == 1)
      #expect(try Answer(first.events[0]).error != nil)
      let later = client.complete("sim-error-at-4", stream: true)
      #expect(later.events.count == 1 + 4 + 1 && !later.text.contains("[DONE]"))
      #expect(try Answer(later.events[5]).error != nil)
      let broken = client.complete("sim-malformed-at-4", stream: true)
      #expect(broken.events.indices.filter { (try? Answer(broken.events[$0])) == nil } == [5, broken.events.count - 1])
    }
  }

  @Test func reasoningAndToolsCanBeAllThereIs() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let reasoning = try client.complete("sim-reasoning-only", stream: true).chunks().flatMap { $0.choices ?? [] }
      let thought = reasoning.compactMap { $0.delta?.reasoning_content }.joined()
      #expect(thought.hasPrefix("This is a simulated"))
      #expect(reasoning.allSatisfy { ($0.delta?.content ?? "").isEmpty })
      let tool = try client.complete("sim-tool-only", stream: true).chunks().flatMap { $0.choices ?? [] }
      let calls = tool.compactMap { $0.delta?.tool_calls?.first?.function }
      #expect(calls.first?.name == "simulated_tool")
      let arguments = calls.compactMap(\.arguments).joined()
      #expect(arguments.hasPrefix("{\"note\":\" is") && arguments.hasSuffix("\"}"))
      #expect(tool.last?.finish_reason == "tool_calls")
      let whole = try Answer(client.complete("sim-tool-only").text).choices?.first
      #expect(whole?.message?.tool_calls?.first?.function.arguments == arguments)
    }
  }

  static let usages: [(kind: String, value: String)] = [
    ("zero", "0"), ("negative", "-5"), ("huge", "9223372036854775808"), ("string", "\"12\""), ("float", "12.5"),
    ("exponent", "1e308"), ("nan", "NaN"), ("nested", "{\"count\":12}"),
  ]

  @Test(arguments: usages) func aLyingUsageIsSentAsItsNameSays(_ row: (kind: String, value: String)) throws {
    try withSimulator { simulator in
      for stream in [true, false] {
        let reply = try RawClient(port: simulator.port).complete("sim-usage-\(row.kind)", stream: stream)
        #expect(reply.text.contains("\"usage\":{\"prompt_tokens\":\(row.value),\"completion_tokens\":\(row.value),"))
      }
    }
  }

  @Test func usageStandsWhereItsNameSays() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let asked = ",\"stream_options\":{\"include_usage\":true}"
      let every = try client.complete("sim-usage-every-chunk", stream: true).chunks()
      #expect(every.map { $0.usage?.completion_tokens } == [0] + (1...40).map { $0 } + [40])
      let onFinish = try client.complete("sim-usage-on-finish", stream: true, members: asked).chunks()
      #expect(onFinish.last?.choices?.first?.finish_reason == "stop")
      #expect(onFinish.filter { $0.usage != nil }.count == 1 && onFinish.last?.usage?.completion_tokens == 40)
      let late = client.complete("sim-usage-after-done", stream: true, members: asked).events
      #expect(late.dropLast().last == "[DONE]")
      #expect(try Answer(late[late.count - 1]).usage?.completion_tokens == 40)
      let twice = try client.complete("sim-usage-twice", stream: true, members: asked).chunks()
      #expect(twice.filter { $0.usage != nil }.count == 2)
      let trailing = client.complete("sim-usage-trailing", stream: true, members: asked)
      #expect(trailing.text.hasSuffix("}}}\n") && trailing.end == .complete)
      #expect(try Answer(trailing.events[trailing.events.count - 1]).usage?.completion_tokens == 40)
      let decoy = client.complete("sim-usage-decoy", stream: true, members: asked)
      #expect(try decoy.text.contains("999999") && decoy.chunks().last?.usage?.completion_tokens == 40)
    }
  }

  @Test func framingsOfEventsKeepTheContent() throws {
    try withSimulator { simulator in
      let plain = try RawClient(port: simulator.port).complete("sim", stream: true, members: ",\"seed\":1")
      for word in ["crlf", "cr", "bom", "multiline", "bytewise", "coalesced", "comments"] {
        let reply = try RawClient(port: simulator.port).complete("sim-\(word)", stream: true, members: ",\"seed\":1")
        #expect(reply.end == .complete)
        // To the plain form, by the rules that a reader of event streams has for it.
        var text = reply.text
        for (from, to) in [("\r\n", "\n"), ("\r", "\n"), ("\u{feff}", ""), ("{\ndata: ", "{"), ("\ndata: }", "}")] {
          text = text.unicodeScalars.split(on: from.unicodeScalars).map(String.init).joined(separator: to)
        }
        let normal = RawClient.Reply(body: [UInt8](text.utf8))
        #expect(try normal.content() == plain.content(), "\(word)")
        #expect(normal.events.last == "[DONE]", "\(word)")
      }
      let once = try RawClient(port: simulator.port).complete("sim-coalesced-pace-2", stream: true)
      #expect(once.reads == 1)
      let waited = try RawClient(port: simulator.port).complete("sim-comments-slow-first-250", stream: true)
      #expect(waited.text.components(separatedBy: ": simulated keep-alive\n\n").count == 1 + 3)
    }
  }

  @Test func charactersAreSplitBetweenReads() throws {
    try withSimulator { simulator in
      let reply = try RawClient(port: simulator.port).complete("sim-utf8-split", stream: true, members: ",\"seed\":1")
      let content = try reply.content()
      #expect(content.utf8.contains { $0 >= 0xf0 } && content.hasPrefix("This is a simulated"))
      // One character at least is cut at each of its writes: many reads for what is one write otherwise.
      #expect(reply.reads > 5)
    }
  }

  @Test func hugeEventsHaveTheirSize() throws {
    try withSimulator { simulator in
      for stream in [true, false] {
        let reply = try RawClient(port: simulator.port).complete("sim-tokens-1-huge-3000000", stream: stream)
        #expect(reply.end == .complete)
        #expect(reply.body.count { $0 == UInt8(ascii: "x") } >= 3_000_000)
        #expect(reply.body.count < 3_002_000)
        let content = stream ? try reply.content() : try Answer(reply.text).choices?.first?.message?.content ?? ""
        #expect(content.utf8.count == 3_000_000)
      }
    }
  }

  @Test func headsCanBeOdd() throws {
    try withSimulator { simulator in
      func ask(_ model: String) throws -> RawClient.Reply {
        try RawClient(port: simulator.port).complete(model, stream: true)
      }
      #expect(try ask("sim-1xx-5").interim == [103, 103, 103, 103, 103])
      #expect(try ask("sim-101").interim == [101])
      #expect(try ask("sim-headers-200").fields.count > 200)
      #expect(try ask("sim-header-bytes-70000").field("x-simulated-long")?.utf8.count == 70000)
      let both = try ask("sim-cl-and-te")
      #expect(both.field("content-length") != nil && both.field("transfer-encoding") == "chunked")
      #expect(try ask("sim-bad-chunk").end == .badFraming)
      let open = try ask("sim-close-delimited")
      #expect(open.end == .finish && open.events.last == "[DONE]" && open.field("content-length") == nil)
    }
  }

  @Test func theFormCanBeTheOtherOne() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let json = client.complete("sim-json-for-stream", stream: true)
      #expect(json.field("content-type") == "application/json")
      #expect(try Answer(json.text).object == "chat.completion")
      let stream = client.complete("sim-sse-for-json")
      #expect(stream.events.last == "[DONE]")
    }
  }

  @Test func idsCanBeUseless() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      #expect(client.complete("sim-id-null").text.hasPrefix("{\"id\":null,"))
      #expect(try Answer(client.complete("sim-id-empty").text).id == "")
      #expect(try Answer(client.complete("sim-id-same").text).id == Answer(client.complete("sim-id-same").text).id)
      #expect(try Answer(client.complete("sim").text).id != Answer(client.complete("sim").text).id)
    }
  }

  @Test(arguments: [
    "", "si", "simulated", "sim-", "sim-tokens", "sim-tokens-x", "sim-tokens--5", "sim-429-before-3", "sim-200",
    "sim-99", "sim-usage", "sim-tokens-9999999999999", "gpt-4o", "sim sim",
  ])
  func aNameThatIsNotUnderstoodIsNoModel(_ name: String) {
    #expect(!Simulator.understands(model: name))
  }
}

extension String.UnicodeScalarView {
  /// By scalars: to Swift, CR LF is one character.
  func split(on mark: String.UnicodeScalarView) -> [Substring] {
    split(separator: mark, omittingEmptySubsequences: false).map { Substring($0) }
  }
}
