/// The price of one model while its entry is being read. A part that cannot be read leaves the whole price unknown when
/// the part is paid by every request, for unknown is not free; cache prices fall back to that of input.
struct ListedPrice {
  struct Refusal: Error {
    let reason: String
  }

  /// What an amount is for, which says how large it may be.
  enum Unit {
    case usdPerToken, usdPerMillionTokens
    /// A request or an image.
    case usdPerPiece

    /// Decimal places to a pico-USD.
    var scale: Int { self == .usdPerMillionTokens ? 6 : 12 }
    /// Pico-USD: 1 USD for a token, 1,000 USD for a piece.
    var most: Int64 { self == .usdPerPiece ? 1_000_000_000_000_000 : Self.mostPerToken }
    static let mostPerToken: Int64 = 1_000_000_000_000
  }

  /// Parts of the price without a condition; `nil` where the list has none.
  var base = PriceOverride()
  var overrides: [PriceOverride] = []
  var requestPrice: Int64 = 0
  var imagePrice: Int64 = 0
  /// What reduces every part, in 10^-12: `discount_to_user`; below 0 it raises them.
  var discount: Int64 = 0

  static func amount(_ value: JSONValue, _ name: String, _ unit: Unit) throws(Refusal) -> Int64 {
    guard let text = value.digits else { throw Refusal(reason: "price \(name) is not a number") }
    let decimal: ExactDecimal
    do {
      decimal = try ExactDecimal(text)
    } catch {
      let reason = error == .exponentOutOfRange ? "has an exponent out of range" : "is not a number"
      throw Refusal(reason: "price \(name) \(reason): \(Wording.quoted(text))")
    }
    if decimal.isNegative { throw Refusal(reason: "price \(name) is negative: \(Wording.quoted(text))") }
    guard let pico = decimal.scaled(by: unit.scale), pico <= unit.most else {
      let most = unit == .usdPerPiece ? "1,000 USD" : "1 USD per token"
      throw Refusal(reason: "price \(name) is above \(most): \(Wording.quoted(text))")
    }
    return pico
  }

  /// - Parameter hasOutput: whether the model answers with tokens; otherwise output without a price costs nothing.
  func write(to model: inout DiscoveredModel, hasOutput: Bool) throws(Refusal) {
    guard let input = try reduced(base.input) else { throw Refusal(reason: "there is no price for input tokens") }
    guard let output = try reduced(base.output) ?? (hasOutput ? nil : 0) else {
      throw Refusal(reason: "there is no price for output tokens")
    }
    let price = Price(
      input: input, cachedInput: try reduced(base.cachedInput), cacheWrite: try reduced(base.cacheWrite), output: output
    )
    var changes: [PriceOverride] = []
    for var change in overrides {
      for kind in PriceSchedule.Kind.allCases { change[kind] = try reduced(change[kind]) }
      changes.append(change)
    }
    let request = try reduced(requestPrice, most: Unit.usdPerPiece.most)
    let image = try reduced(imagePrice, most: Unit.usdPerPiece.most)
    model.traits.requestPrice = request ?? 0
    model.traits.imagePrice = image ?? 0
    model.traits.priceOverrides = changes
    model.price = price
  }

  private func reduced(_ pico: Int64?, most: Int64 = Unit.mostPerToken) throws(Refusal) -> Int64? {
    guard let pico, discount != 0 else { return pico }
    let one: Int128 = 1_000_000_000_000
    let reduced = (Int128(pico) * (one - Int128(discount)) + one / 2) / one
    guard reduced <= Int128(most), let result = Int64(exactly: reduced) else {
      throw Refusal(reason: "a price is too high with its discount_to_user")
    }
    return result
  }
}
