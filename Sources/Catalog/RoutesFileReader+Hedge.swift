extension RoutesFileReader {
  private static let quantiles: [(String, Double)] = [
    ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99),
  ]
  /// The most that hedging may add to what a route spends.
  private static let mostShare = 0.5

  /// `hedge` of a route: true, false or a map; `nil`: no second attempt.
  mutating func hedge(_ entry: YAMLEntry?) -> HedgeSettings? {
    guard let entry else { return nil }
    guard case .map = entry.value.content else { return flag(entry) == true ? .standard : nil }
    var settings = HedgeSettings.standard
    let fields = fields(entry.value, of: "hedge", known: ["after", "spend"])
    if let field = fields["after"], let text = text(field.value, "after") {
      if let quantile = Self.quantiles.first(where: { $0.0 == text }) {
        settings.after = .quantile(quantile.1)
      } else if let wait = Quantity.duration(text, most: .seconds(600)), wait >= .milliseconds(1) {
        settings.after = .fixed(wait)
      } else {
        let names = Self.quantiles.map(\.0).joined(separator: ", ")
        mistakes.error(
          field.value.mark, "after must be one of \(names), or a time from 1ms to 10m, not \(Wording.quoted(text))")
      }
    }
    if let field = fields["spend"], let text = text(field.value, "spend") {
      if let share = Quantity.share(text), share <= Self.mostShare {
        settings.share = share
      } else {
        mistakes.error(
          field.value.mark, "spend must be a share from 0% to 50%, such as 5%, not \(Wording.quoted(text))")
      }
    }
    return settings
  }
}
