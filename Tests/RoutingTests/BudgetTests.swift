import Dispatch
import Synchronization
import Testing

@testable import Routing

@Suite struct BudgetTests {
  private final class Box: Sendable {
    let retries = RetryBudget()
    let hedges = HedgeAccount()
    let taken = Atomic<Int>(0)

    func hedge(_ cost: Int64) -> Bool { hedges.take(cost) }
  }

  @Test func `three retries to begin with, then a fifth of the first attempts, ten at most`() {
    let box = Box()
    func take() -> Int {
      var taken = 0
      while box.retries.take() { taken += 1 }
      return taken
    }
    #expect(take() == 3)
    for _ in 0..<24 { box.retries.earn() }
    #expect(take() == 4)
    box.retries.earn()
    #expect(take() == 1)
    for _ in 0..<1_000 { box.retries.earn() }
    #expect(take() == 10)
  }

  @Test func `not one retry is made or lost among threads`() {
    for _ in 0..<20 {
      let box = Box()
      DispatchQueue.concurrentPerform(iterations: 8) { _ in
        for step in 0..<5_000 {
          box.retries.earn()
          if step % 4 == 0, box.retries.take() { box.taken.add(1, ordering: .relaxed) }
        }
      }
      while box.retries.take() { box.taken.add(1, ordering: .relaxed) }
      let taken = box.taken.load(ordering: .relaxed)
      // 8 * 5,000 first attempts earn 8,000, and as many are asked for at least; what the cap cuts off is all that is lost.
      #expect(taken <= 8_003 && taken > 10)
    }
    // Below the cap the account is exact.
    let box = Box()
    while box.retries.take() {}
    DispatchQueue.concurrentPerform(iterations: 8) { _ in for _ in 0..<5 { box.retries.earn() } }
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      while box.retries.take() { box.taken.add(1, ordering: .relaxed) }
    }
    #expect(box.taken.load(ordering: .relaxed) == 8)
  }

  @Test func `hedges cost at most their share of what was spent`() {
    let box = Box()
    #expect(!box.hedge(1) && !box.hedge(0))
    var (spent, hedged, hedges): (Int64, Int64, Int) = (0, 0, 0)
    for step in 0..<10_000 {
      let cost = Int64(step % 7) * 1_000
      box.hedges.earn(cost, share: 0.05)
      spent += cost
      if box.hedge(9_000) {
        hedged += 9_000
        hedges += 1
      }
      #expect(hedged * 20 <= spent)
    }
    // A hedge is three times as dear as a request: money is what runs out.
    #expect(hedged * 20 > spent - 200_000)
    #expect(hedges < 200)
  }

  @Test func `free hedges are at most their share of the requests`() {
    let box = Box()
    var hedges = 0
    for _ in 0..<1_000 {
      box.hedges.earn(0, share: 0.05)
      if box.hedge(0) { hedges += 1 }
    }
    #expect(hedges == 50)
    // No more than 20 are saved up, and what money does not reach for is not lost.
    for _ in 0..<10_000 { box.hedges.earn(10, share: 0.05) }
    #expect(!box.hedge(Int64.max))
    hedges = 0
    while box.hedge(0) { hedges += 1 }
    #expect(hedges == 20)
  }

  @Test func `odd sums and shares do no harm`() {
    let box = Box()
    for share in [-1, .nan, .infinity, 0, 1e300] as [Double] {
      for cost in [Int64.min, -1, 0, Int64.max] { box.hedges.earn(cost, share: share) }
    }
    // Shares above 1 are all.
    #expect(box.hedge(Int64.max / 8))
    #expect(box.hedge(Int64.min))
  }
}
