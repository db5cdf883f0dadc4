/// OpenRouter's default: by chance in proportion to the inverse square of the price, input and output together.
///
/// Free endpoints come before priced ones; an endpoint whose price is unknown comes behind them, since unknown is not
/// free.
enum InverseSquarePolicy {
  static let termNames = ["input price", "output price"]

  static func score(_ candidates: inout [ScoredCandidate]) {
    for index in candidates.indices {
      let price = candidates[index].price
      guard candidates[index].hasPrice else {
        candidates[index].score.terms.0 = .infinity
        candidates[index].weight = 1
        continue
      }
      candidates[index].score.terms = (price.input, price.output, 0, 0, 0, 0)
      let sum = price.input + price.output
      candidates[index].weight = sum > 0 ? 1e12 / (sum * sum) : .infinity
    }
  }
}
