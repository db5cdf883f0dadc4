import Glibc
import Simulator
import Testing

@Suite struct ContinuationTests {
  private static let chat = "/v1/chat/completions"
  private static let usage = ",\"stream_options\":{\"include_usage\":true}"

  private func ask(
    _ client: RawClient, _ model: String, answer: String?, members: String = "", path: String = chat,
    stream: Bool = true
  ) -> RawClient.Reply {
    let asked: String
    if path == Self.chat {
      let prefill = answer.map { ",{\"role\":\"assistant\",\"content\":\"\($0)\"}" } ?? ""
      asked = "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}\(prefill)]"
    } else {
      asked = "\"prompt\":\"hello\(answer ?? "")\""
    }
    client.post(path, "{\"model\":\"\(model)\",\"stream\":\(stream),\(asked)\(members)}")
    return client.readReply()
  }

  @Test(arguments: [chat, "/v1/completions"]) func anAnswerGoesOnExactlyBehindWhatTheRequestHolds(
    _ path: String
  ) throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      for (model, seed) in [("sim-tokens-60", ""), ("sim-tokens-60-utf8-split", ""), ("sim", ",\"seed\":5")] {
        let whole = try ask(client, model, answer: nil, members: seed, path: path).content()
        let events = try ask(client, model, answer: nil, members: seed, path: path).chunks()
          .compactMap { $0.choices?.first }.compactMap { $0.delta?.content ?? $0.text }.filter { !$0.isEmpty }
        var begun = ""
        for event in events {
          begun += event
          let reply = ask(client, model, answer: begun, members: seed, path: path)
          #expect(try begun + reply.content() == whole, "\(begun)")
          #expect(reply.text.contains("\"finish_reason\":\"stop\""))
        }
        // Also in the middle of a word.
        let cut = String(whole.prefix(whole.count / 2))
        #expect(try cut + ask(client, model, answer: cut, members: seed, path: path).content() == whole)
      }
    }
  }

  @Test func whatIsNoBeginningOfTheAnswerChangesNothing() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let whole = try ask(client, "sim", answer: nil).content()
      for prefill in ["", "T", "This was", "Well, "] {
        #expect(try ask(client, "sim", answer: prefill).content() == whole, "\(prefill)")
      }
      // A client's own prefill, and behind it what has come of the answer.
      #expect(try "This is" + ask(client, "sim", answer: "Well, This is").content() == whole)
    }
  }

  @Test func theLimitCountsFromThereAndThePrefillIsPrompt() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let members = ",\"max_tokens\":3" + Self.usage
      let reply = ask(client, "sim", answer: "This is a", members: members)
      #expect(try reply.content() == " simulated answer:")
      #expect(reply.text.contains("\"finish_reason\":\"length\""))
      // [{"role":"user","content":"hello"},{"role":"assistant","content":"This is a"}] has 79 bytes.
      #expect(try reply.chunks().last?.usage == Answer.Usage(prompt: 20, completion: 3))
      let rest = try Answer(ask(client, "sim-tokens-12", answer: "This is a", stream: false).text)
      #expect(rest.usage?.completion_tokens == 9)
      let nothing = ask(client, "sim-tokens-3", answer: "This is a", members: Self.usage)
      #expect(try nothing.content().isEmpty && nothing.chunks().last?.usage?.completion_tokens == 0)
    }
  }

  @Test func aPrefillCanBeRefusedOrRepeated() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      #expect(ask(client, "sim-no-prefill", answer: nil).status == 200)
      #expect(ask(client, "sim-no-prefill", answer: "This is").status == 400)
      let whole = try ask(client, "sim-echo-prefill", answer: nil, members: ",\"seed\":1").content()
      let echoed = ask(client, "sim-echo-prefill", answer: "This is", members: ",\"seed\":1" + Self.usage)
      #expect(try echoed.content() == whole)
      #expect(try echoed.chunks().last?.usage?.completion_tokens == 38)
      let unstreamed = try Answer(
        ask(client, "sim-echo-prefill", answer: "This is", members: ",\"seed\":1", stream: false).text)
      #expect(unstreamed.choices?.first?.message?.content == whole)
      let flags = ",\"continue_final_message\":true,\"add_generation_prompt\":"
      #expect(ask(client, "sim", answer: "This is", members: flags + "false").status == 200)
      #expect(ask(client, "sim", answer: "This is", members: flags + "true").status == 400)
    }
  }

  @Test func textCanBeFollowedByAToolCallOverSeveralEvents() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let choices = try client.complete("sim-tokens-20-tools-text", stream: true).chunks().compactMap { $0.choices?[0] }
      let texts = choices.compactMap { $0.delta?.content }.filter { !$0.isEmpty }
      let calls = choices.compactMap { $0.delta?.tool_calls?.first?.function }
      #expect(texts.count == 10 && texts.joined().hasPrefix("This is a simulated"))
      #expect(calls.count == 10 && calls.compactMap(\.name) == ["simulated_tool"])
      let arguments = calls.compactMap(\.arguments).joined()
      #expect(arguments.hasPrefix("{\"note\":\"") && arguments.hasSuffix("\"}"))
      #expect(choices.last?.finish_reason == "tool_calls")
      let whole = try Answer(client.complete("sim-tokens-20-tools-text").text).choices?.first?.message
      #expect(whole?.content == texts.joined() && whole?.tool_calls?.first?.function.arguments == arguments)
      let text = client.complete("sim-tokens-20-tools-text", stream: true, path: "/v1/completions")
      #expect(try text.chunks().count == 20 + 1)
    }
  }

  @Test func aChunkCanBeCutInside() throws {
    try withSimulator { simulator in
      let whole = try RawClient(port: simulator.port).complete("sim-cut-at-99999", stream: true)
      for size in [1, 300, whole.body.count / 2, whole.body.count - 1] {
        let digits = String(size + 100_000).dropFirst()
        let client = try RawClient(port: simulator.port)
        client.post(Self.chat, "{\"model\":\"sim-chunk-cut-at-\(digits)\",\"stream\":true,\"messages\":[{}]}")
        let reply = client.readReply()
        // The client waits for the rest of the chunk, and finds the connection's end.
        #expect(reply.body.count == size && reply.end == .finish)
      }
    }
  }

  @Test func aStragglerIsAFaultOfSomeAttempts() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      func took(_ model: String) -> Int {
        var (before, after) = (timespec(), timespec())
        clock_gettime(CLOCK_MONOTONIC, &before)
        _ = client.complete(model, stream: true)
        clock_gettime(CLOCK_MONOTONIC, &after)
        return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1_000_000
      }
      #expect(took("sim-straggler-80") >= 80)
      let slow = (0..<100).count { _ in took("sim-tokens-1-percent-3-straggler-400") >= 400 }
      #expect(slow == 3)
    }
  }

  @Test func aModelCanBeFull() throws {
    try withSimulator(providers: [SimulatedProvider(name: "other")]) { simulator in
      let model = "sim-concurrency-2-stall-at-1"
      var held = try (0..<2).map { _ in try RawClient(port: simulator.port) }
      for client in held { client.post(Self.chat, "{\"model\":\"\(model)\",\"stream\":true,\"messages\":[{}]}") }
      #expect(reached { simulator.counters.received == 2 })
      let client = try RawClient(port: simulator.port)
      #expect(client.complete(model).status == 503)
      // At another provider, and of another name, others are counted.
      let other = try RawClient(port: simulator.port)
      other.post("/other\(Self.chat)", "{\"model\":\"\(model)\",\"stream\":true,\"messages\":[{}]}")
      #expect(client.complete("sim-concurrency-2").status == 200)
      held.removeLast()
      #expect(reached { simulator.counters.received - simulator.counters.ended == 2 })
      let again = try RawClient(port: simulator.port)
      again.post(Self.chat, "{\"model\":\"\(model)\",\"stream\":true,\"messages\":[{}]}")
      #expect(reached { simulator.counters.received - simulator.counters.ended == 3 })
      _ = (held, other)
    }
  }

  @Test func outagesFollowTheClock() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      #expect(client.complete("sim-down-1-up-1000000000").status == 200)
      #expect(client.complete("sim-down-1-up-0").status == 503)
      #expect(client.complete("sim-down-1-up-0-429").status == 429)
      #expect(client.complete("sim-down-1-up-1000000000-429").status == 200)
      #expect(client.complete("sim-up-5-429").status == 429)
      // One second of each: within three seconds both are seen.
      var seen: Set<Int> = []
      #expect(
        reached {
          seen.insert(client.complete("sim-down-1-up-1").status); return seen == [200, 503]
        })
    }
  }
}
