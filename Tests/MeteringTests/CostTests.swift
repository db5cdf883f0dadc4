import Catalog
import Metering
import Testing
import Wire

@Suite struct CostTests {
  private func usage(_ input: Int64?, _ output: Int64?, cached: Int64? = nil, written: Int64? = nil) -> TokenUsage {
    var usage = TokenUsage()
    usage.input = input
    usage.output = output
    usage.cachedInput = cached
    usage.cacheWrite = written
    return usage
  }

  @Test func aMillionTokensCostWhatThePriceSays() {
    let price = Price(input: 130_000, cachedInput: 30_000, output: 380_000)
    #expect(Cost.nanoUSD(usage(1_000_000, 1_000_000), price: price) == 510_000_000)
  }

  @Test func eachKindOfInputHasItsOwnPriceAndFallsBackToTheInputs() {
    let whole = Price(input: 1_000, cachedInput: 100, cacheWrite: 1_250, output: 5_000)
    // 1000 in all: 100 at 1.0, 600 read from the cache at 0.1, 300 written to it at 1.25; 10 out at 5.0 nano-USD.
    #expect(Cost.nanoUSD(usage(1_000, 10, cached: 600, written: 300), price: whole) == 585)
    let plain = Price(input: 1_000, output: 5_000)
    #expect(Cost.nanoUSD(usage(1_000, 10, cached: 600, written: 300), price: plain) == 1_050)
  }

  @Test(arguments: [(499, 0), (500, 0), (501, 1), (1_499, 1), (1_500, 2), (2_500, 2), (2_501, 3), (3_500, 4)])
  func halvesGoToTheEvenNeighbourOnceAtTheEnd(pico: Int64, nano: Int64) {
    #expect(Cost.nanoUSD(usage(1, 0), price: Price(input: pico, output: 0)) == nano)
    // The same sum out of two parts rounds the same: there is one rounding.
    #expect(Cost.nanoUSD(usage(1, 1), price: Price(input: pico - 1, output: 1)) == nano)
  }

  @Test func unknownIsNotZero() {
    let price = Price(input: 1_000, output: 1_000)
    #expect(Cost.nanoUSD(usage(nil, 5), price: price) == nil)
    #expect(Cost.nanoUSD(usage(5, nil), price: price) == nil)
    #expect(Cost.nanoUSD(usage(0, 0), price: price) == 0)
  }

  @Test func countsThatNoProviderCanMeanNeverTrap() {
    let dear = Price(input: .max, cachedInput: .max, cacheWrite: .max, output: .max)
    #expect(Cost.nanoUSD(usage(.max, .max, cached: .max, written: .max), price: dear) == nil)
    #expect(Cost.nanoUSD(usage(-1, 5), price: dear) == nil)
    #expect(Cost.nanoUSD(usage(5, 5, cached: .min), price: dear) == nil)
    #expect(Cost.nanoUSD(usage(5, 5, written: -1), price: dear) == nil)
    // Parts beyond the whole are cut to it.
    let price = Price(input: 1_000, cachedInput: 100, cacheWrite: 2_000, output: 0)
    #expect(Cost.nanoUSD(usage(10, 0, cached: 99, written: 99), price: price) == 1)
    // The largest result that fits: 9223372036854775807 nano-USD.
    #expect(Cost.nanoUSD(usage(.max, 0), price: Price(input: 1_000, output: 0)) == .max)
    #expect(Cost.nanoUSD(usage(.max, 1), price: Price(input: 1_000, output: 501)) == nil)
  }
}
