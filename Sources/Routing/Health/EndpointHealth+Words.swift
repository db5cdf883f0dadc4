/// For people: what `explain` says of an endpoint's state.
extension EndpointHealth {
  static let closedWord = "closed"

  /// The state of its breaker: `closed`, `open for 3 s more` …; behind it its provider's when that is not closed too.
  func breakerWords(_ endpoint: Int, now: UInt64) -> String {
    guard cells.indices.contains(endpoint) else { return Self.closedWord }
    let cell = cells[endpoint]
    var words = Self.words(cell.breaker, now)
    let provider = Self.words(cell.provider.breaker, now)
    if provider != Self.closedWord { words += "; that of the provider \(provider)" }
    return words
  }

  /// How much of its provider's keys can be used there: `1 of 3 keys free (1 limited for 12 s, 1 refused, for 4 min)`;
  /// `nil` when all can.
  func keyWords(_ endpoint: Int, now: UInt64) -> String? {
    guard keys.indices.contains(endpoint) else { return nil }
    let all = keys[endpoint]
    let reasons = all.compactMap { key -> String? in
      // Each is read once: other loops change them meanwhile.
      let limitedUntil = key.limitedUntil.load(ordering: .relaxed)
      let breaker = key.key.breaker.breaker
      let retiredUntil = breaker.isOutUntil
      guard max(limitedUntil, retiredUntil) > now else { return nil }
      if limitedUntil >= retiredUntil { return "1 limited for \(Event.span(limitedUntil - now))" }
      if case .probing = breaker.state(now) { return "1 being tried again" }
      return (key.key.isSpent.load(ordering: .relaxed) ? "1 spent, for " : "1 refused, for ")
        + Event.span(retiredUntil - now)
    }
    if reasons.isEmpty { return nil }
    return "\(all.count - reasons.count) of \(all.count) keys free (\(reasons.joined(separator: ", ")))"
  }

  private static func words(_ shared: borrowing SharedBreaker, _ now: UInt64) -> String {
    switch shared.breaker.state(now) {
    case .closed:
      let share = shared.share(now, ramp: returnRamp)
      return share < 1 ? "closed again, returning to \(Int(share * 100)) % of its requests" : closedWord
    case .doubted: return "closed, with a failure outstanding"
    case .open(let left): return "open for \(Event.span(left)) more"
    case .due: return "in probation, the next request tries it"
    case .probing: return "in probation, one request tries it now"
    }
  }
}
