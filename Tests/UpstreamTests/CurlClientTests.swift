import Testing

@testable import Upstream

@Suite struct CurlClientTests {
  @Test func `a name is never looked up, whichever handle a transfer runs in`() throws {
    let provider = try AskedProvider()
    defer { provider.close() }
    let (one, two) = (provider.target("one.invalid"), provider.target("two.invalid"))
    provider.start(1, to: one)
    #expect(provider.runs { provider.ends.count == 1 })
    // The first multi handle is full now, so that the next transfer, with an easy handle that is kept, is in the second.
    provider.isHolding = true
    provider.start(CurlMulti.limit, to: two)
    #expect(provider.runs { provider.requests == CurlMulti.limit + 1 })
    provider.start(1, to: one)
    #expect(provider.runs { provider.requests == CurlMulti.limit + 2 || provider.ends.count == 2 })
    provider.release()
    #expect(provider.runs { provider.ends.count == CurlMulti.limit + 2 })
    #expect(provider.ends.allSatisfy { $0.failure == nil })
  }

  @Test func `addresses that have changed are used, whatever a handle knew before`() throws {
    let provider = try AskedProvider()
    defer { provider.close() }
    // Nobody listens there.
    provider.start(1, to: provider.target("moved.invalid", address: "127.0.0.9"))
    #expect(provider.runs { provider.ends.count == 1 })
    #expect(provider.ends.first?.failure == .connect)
    provider.start(1, to: provider.target("moved.invalid"))
    #expect(provider.runs { provider.ends.count == 2 })
    #expect(provider.ends.last?.failure == nil)
  }

  @Test func `a minute after a burst none of its connections is left`() throws {
    let provider = try AskedProvider()
    defer { provider.close() }
    let target = provider.target("burst.invalid")
    provider.isHolding = true
    provider.start(300, to: target)
    #expect(provider.runs { provider.requests == 300 })
    provider.release()
    #expect(provider.runs { provider.ends.count == 300 && provider.client.runningCount == 0 })
    // The provider ends them all, which libcurl notices only of those that it wants to use again.
    provider.endIdle()
    provider.poller.advance(seconds: 50)
    #expect(!provider.runs(rounds: 200) { provider.closed == 300 })
    provider.poller.advance(seconds: 10)
    #expect(provider.runs { provider.closed == 300 })
    provider.start(1, to: target)
    #expect(provider.runs { provider.ends.count == 301 })
    #expect(provider.ends.allSatisfy { $0.failure == nil })
  }

  @Test func `addresses that only took turns are the same`() {
    #expect(UpstreamTarget.areSame("a.test:443:1.1.1.1,[::1],2.2.2.2", "a.test:443:2.2.2.2,1.1.1.1,[::1]"))
    #expect(UpstreamTarget.areSame(nil, nil))
    #expect(!UpstreamTarget.areSame("a.test:443:1.1.1.1", "a.test:443:1.1.1.2"))
    #expect(!UpstreamTarget.areSame("a.test:443:1.1.1.1,1.1.1.2", "a.test:443:1.1.1.1"))
    #expect(!UpstreamTarget.areSame("a.test:443:1.1.1.1", ""))
    #expect(!UpstreamTarget.areSame("a.test:443:1.1.1.1", nil))
  }
}
