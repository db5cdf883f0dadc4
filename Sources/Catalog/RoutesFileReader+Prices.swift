extension RoutesFileReader {
  private static let tokenPrices = ["input", "cached_input", "cache_write", "output"]
  private static let priceKeys = tokenPrices + ["request", "image", "overrides"]

  mutating func price(_ entry: YAMLEntry?) -> RoutesFile.PriceEntry? {
    guard let entry else { return nil }
    var result = RoutesFile.PriceEntry()
    guard case .map = entry.value.content else {
      _ = fields(entry.value, of: "a price", known: Self.tokenPrices)
      return result
    }
    let fields = fields(entry.value, of: "a price", known: Self.priceKeys)
    for key in ["input", "output"] where fields[key] == nil {
      mistakes.error(entry.value.mark, "a price needs \(key): USD per million tokens")
    }
    let input = amount(fields["input"])
    let output = amount(fields["output"])
    let cachedInput = amount(fields["cached_input"])
    let cacheWrite = amount(fields["cache_write"])
    if let input, let output {
      result.price = Price(input: input, cachedInput: cachedInput, cacheWrite: cacheWrite, output: output)
    }
    result.request = amount(fields["request"], perUnit: true) ?? 0
    result.image = amount(fields["image"], perUnit: true) ?? 0
    if let field = fields["overrides"] {
      guard case .list(let items) = field.value.content else {
        let message = "overrides must be a list (- { min_prompt_tokens: 200000, input: … }), not \(field.value.kind)"
        mistakes.error(field.value.mark, message)
        return result
      }
      result.overrides = items.map { override($0) }
    }
    return result
  }

  private mutating func override(_ node: YAMLNode) -> PriceOverride {
    var override = PriceOverride()
    let fields = fields(node, of: "an override", known: ["min_prompt_tokens", "utc"] + Self.tokenPrices)
    if let least = count(fields["min_prompt_tokens"]) { override.minPromptTokens = Int64(least) }
    override.window = window(fields["utc"])
    if let field = fields["utc"], let window = override.window, window.isEmpty {
      mistakes.warning(field.value.mark, "this time window is empty, so the override never applies")
    }
    override.input = amount(fields["input"])
    override.cachedInput = amount(fields["cached_input"])
    override.cacheWrite = amount(fields["cache_write"])
    override.output = amount(fields["output"])
    if case .map = node.content {
      if fields["min_prompt_tokens"] == nil, fields["utc"] == nil {
        mistakes.error(
          node.mark, "this override has no condition; write min_prompt_tokens: or utc:, or change the price")
      }
      if !Self.tokenPrices.contains(where: { fields[$0] != nil }) {
        mistakes.error(node.mark, "this override changes nothing; write \(Wording.choice(Self.tokenPrices))")
      }
    }
    return override
  }

  /// Pico-USD per token, or per request or image.
  mutating func amount(_ entry: YAMLEntry?, perUnit: Bool = false) -> Int64? {
    guard let entry, let text = text(entry.value, entry.key) else { return nil }
    do throws(USD.Mistake) {
      return try perUnit ? USD.pico(text) : USD.picoPerToken(perMillion: text)
    } catch {
      let reason =
        switch error {
        case .notANumber: "is not a plain number such as 0.13"
        case .negative: "is negative; write 0 for free, or leave the price out when it is not known"
        case .tooManyDigits where perUnit: "has more than 12 decimals"
        case .tooManyDigits: "has more than 6 decimals; 0.000001 is the smallest step"
        case .tooHigh: "is not below \(perUnit ? USD.highestPerUnit : USD.highestPerMillion)"
        }
      let unit = perUnit ? "USD each" : "USD per million tokens"
      mistakes.error(entry.value.mark, "the price \(Wording.quoted(text)) for \(entry.key) \(reason) (\(unit))")
      return nil
    }
  }
}
