import Glibc
import Simulator
import Testing

@Suite struct ShapeTests {
  @Test func aStreamHasRoleTokensFinishUsageAndDone() throws {
    try withSimulator { simulator in
      let reply = try RawClient(port: simulator.port).complete(
        "sim", stream: true, members: ",\"stream_options\":{\"include_usage\":true}")
      #expect(reply.status == 200)
      #expect(reply.end == .complete)
      #expect(reply.field("content-type") == "text/event-stream; charset=utf-8")
      #expect(reply.events.last == "[DONE]")
      let chunks = try reply.chunks()
      #expect(chunks.count == 1 + 40 + 1 + 1)
      #expect(chunks.first?.choices?.first?.delta?.role == "assistant")
      #expect(chunks.allSatisfy { $0.object == "chat.completion.chunk" && $0.model == "sim" && $0.id == chunks[0].id })
      #expect(chunks.dropLast().last?.choices?.first?.finish_reason == "stop")
      #expect(chunks.last?.choices?.isEmpty == true)
      #expect(try reply.content().hasPrefix("This is a simulated answer: no model was asked."))
      // [{"role":"user","content":"hello"}] has 35 bytes.
      #expect(chunks.last?.usage == Answer.Usage(prompt: 9, completion: 40))
    }
  }

  @Test func usageComesOnlyToThoseWhoAskForIt() throws {
    try withSimulator { simulator in
      let reply = try RawClient(port: simulator.port).complete("sim", stream: true)
      #expect(try reply.chunks().allSatisfy { $0.usage == nil && $0.choices?.count == 1 })
      #expect(!reply.text.contains("usage"))
    }
  }

  @Test func anUnstreamedAnswerIsOneObjectWithUsage() throws {
    try withSimulator { simulator in
      let reply = try RawClient(port: simulator.port).complete("sim-tokens-12")
      let answer = try Answer(reply.text)
      #expect(answer.object == "chat.completion")
      #expect(answer.choices?.first?.message?.role == "assistant")
      #expect(answer.choices?.first?.finish_reason == "stop")
      #expect(answer.usage == Answer.Usage(prompt: 9, completion: 12))
    }
  }

  @Test func theSameRequestGivesTheSameTextStreamedOrNotAndAnotherSeedAnother() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let streamed = try client.complete("sim", stream: true, members: ",\"seed\":7").content()
      let whole = try Answer(client.complete("sim", members: ",\"seed\":7").text).choices?.first?.message?.content
      let other = try client.complete("sim", stream: true, members: ",\"seed\":8").content()
      #expect(streamed == whole)
      #expect(streamed != other)
    }
  }

  @Test func eachOfNChoicesHasItsOwnTextAndTheUsageCountsAll() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let members = ",\"n\":3,\"stream_options\":{\"include_usage\":true}"
      let reply = client.complete("sim-tokens-20", stream: true, members: members)
      let texts = try (0..<3).map { try reply.content(choice: $0) }
      #expect(Set(texts).count == 3)
      #expect(try reply.chunks().last?.usage?.completion_tokens == 60)
      #expect(try reply.chunks().flatMap { $0.choices ?? [] }.filter { $0.finish_reason == "stop" }.count == 3)
      #expect(try Answer(client.complete("sim-ignore-n", members: ",\"n\":3").text).choices?.count == 1)
    }
  }

  @Test func theRequestsLimitEndsTheAnswerWithLength() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let short = try Answer(client.complete("sim", members: ",\"max_tokens\":5").text)
      #expect(short.usage?.completion_tokens == 5)
      #expect(short.choices?.first?.finish_reason == "length")
      #expect(short.choices?.first?.message?.content == "This is a simulated answer")
      let newer = ",\"max_tokens\":5,\"max_completion_tokens\":6"
      #expect(try Answer(client.complete("sim", members: newer).text).usage?.completion_tokens == 6)
      let ample = try Answer(client.complete("sim", members: ",\"max_tokens\":400").text)
      #expect(ample.choices?.first?.finish_reason == "stop")
    }
  }

  @Test func theOlderCompletionsHaveText() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      let whole = try Answer(client.complete("sim-tokens-3", path: "/v1/completions").text)
      #expect(whole.object == "text_completion")
      #expect(whole.choices?.first?.text == "This is a")
      // "hello" with its quotes has 7 bytes.
      #expect(whole.usage?.prompt_tokens == 2)
      let streamed = client.complete("sim-tokens-3", stream: true, path: "/v1/completions")
      #expect(try streamed.content() == "This is a")
      #expect(streamed.events.last == "[DONE]")
    }
  }

  @Test func eachProviderHasItsPathAndItsPace() throws {
    let slow = SimulatedProvider(name: "slow", firstTokenMilliseconds: 60, tokensPerSecond: 1000, jitter: 0)
    try withSimulator(providers: [slow]) { simulator in
      let client = try RawClient(port: simulator.port)
      var before = timespec()
      var after = timespec()
      clock_gettime(CLOCK_MONOTONIC, &before)
      let reply = client.complete("sim-tokens-40", stream: true, path: "/slow/v1/chat/completions")
      clock_gettime(CLOCK_MONOTONIC, &after)
      let took = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1_000_000
      #expect(took >= 60 + 39 - 1)
      #expect(reply.field("x-simulated") == "slow")
      #expect(client.complete("sim", path: "/slower/v1/chat/completions").status == 404)
    }
  }

  @Test func modelsAreListedAndTheListedOnesAreUnderstood() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      client.send("GET /v1/models HTTP/1.1\r\nHost: sim\r\n\r\n")
      let names = client.readReply().text.components(separatedBy: "{\"id\":\"").dropFirst().map {
        $0.components(separatedBy: "\"")[0]
      }
      #expect(names.count > 80)
      #expect(names.allSatisfy { Simulator.understands(model: $0) })
    }
  }

  @Test func pipelinedRequestsAreAnsweredInTheirOrder() throws {
    try withSimulator(threads: 2) { simulator in
      let client = try RawClient(port: simulator.port)
      let prompt = "\"messages\":[]"
      for tokens in 1...50 { client.post("/v1/chat/completions", "{\"model\":\"sim-tokens-\(tokens)\",\(prompt)}") }
      for tokens in 1...50 { #expect(try Answer(client.readReply().text).usage?.completion_tokens == tokens) }
    }
  }

  @Test func aChunkedRequestIsReadAsOneWithALength() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n")
      client.send("10\r\n{\"model\":\"sim\",\"\r\nF\r\nmessages\":[{}]}\r\n0\r\n\r\n")
      #expect(try Answer(client.readReply().text).usage?.prompt_tokens == 1)
    }
  }

  @Test func whatIsNoRequestIsRefusedAndTheNextOneServed() throws {
    try withSimulator { simulator in
      let client = try RawClient(port: simulator.port)
      client.post("/v1/chat/completions", "{\"model\":\"sim\",\"messages\":[")
      #expect(client.readReply().status == 400)
      client.post("/v1/chat/completions", "{\"messages\":[{}]}")
      #expect(client.readReply().status == 400)
      let unknown = client.complete("sim-42-9")
      #expect(unknown.status == 404)
      #expect(try Answer(unknown.text).error?.message.hasPrefix("Simulated: ") == true)
      client.send("GET /v1/chat/completions HTTP/1.1\r\nHost: sim\r\n\r\n")
      #expect(client.readReply().status == 405)
      #expect(client.complete("sim").status == 200)
      client.send("nonsense\r\n\r\n")
      let refused = client.readReply()
      #expect(refused.status == 400)
    }
  }
}
