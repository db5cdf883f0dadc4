import Testing

@testable import Relay

@Suite struct StreamDeadlinesTests {
  @Test func `nothing set never expires`() {
    #expect(StreamDeadlines().next == nil)
    #expect(StreamDeadlines().expired(now: .max) == nil)
  }

  @Test func `the gap runs from the last progress`() {
    var deadlines = StreamDeadlines()
    deadlines.gap = 50
    deadlines.lastProgress = 100
    #expect(deadlines.next == 150)
    #expect(deadlines.expired(now: 149) == nil)
    #expect(deadlines.expired(now: 150) == .gap)
    deadlines.lastProgress = 140
    #expect(deadlines.expired(now: 150) == nil)
  }

  @Test func `while the client reads too slowly the provider's deadlines rest`() {
    var deadlines = StreamDeadlines()
    deadlines.gap = 50
    deadlines.lastProgress = 100
    deadlines.headers = 10
    deadlines.isPaused = true
    #expect(deadlines.next == nil)
    #expect(deadlines.expired(now: 1000) == nil)
    deadlines.endGrace = 500
    #expect(deadlines.next == 500)
    #expect(deadlines.expired(now: 1000) == .endGrace)
  }

  @Test func `of a completion's own deadlines a step that is due comes before a heartbeat`() {
    var deadlines = CompletionDeadlines()
    #expect(deadlines.next == nil)
    deadlines.heartbeatAt = 100
    deadlines.step = 100
    #expect(deadlines.next == 100)
    #expect(deadlines.expired(now: 99) == nil)
    #expect(deadlines.expired(now: 100) == .step)
    deadlines.step = nil
    #expect(deadlines.expired(now: 100) == .heartbeat)
  }

  @Test func `a held finish event is let go after a quarter of a second`() {
    var deadlines = StreamDeadlines()
    deadlines.finishHeldAt = 1_000
    #expect(deadlines.next == 250_001_000)
    #expect(deadlines.expired(now: 250_001_000) == .finishHold)
  }
}
