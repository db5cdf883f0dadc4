import Catalog

extension Explanation {
  /// The answer of `pointsman explain` for people: a line about the request, then one for each candidate.
  public func text(_ table: RouteTable) -> String {
    var lines: [String] = []
    var what = "route \(route)"
    if let rule { what += ", rule \(rule)" }
    what += ", policy \(policy)"
    if exploration > 0 { what += ", \(Self.short(exploration * 100)) % of requests explore idle endpoints" }
    lines.append(what)
    lines.append(
      "about \(question.promptTokens) prompt tokens (± \(Self.short(question.promptSpread * 100)) %), "
        + "about \(Self.short(question.expectedOutput)) of output expected"
        + (question.furtherTurns >= 0.05 ? ", \(Self.short(question.furtherTurns)) further turns" : "")
        + (question.held.isEmpty ? "" : ", a conversation that is known"))
    lines.append("score in \(scoreUnit), the least is best: the sum of its terms")
    lines.append("")
    for candidate in candidates { lines.append(line(candidate, table)) }
    if candidates.isEmpty { lines.append("no candidate: the route has no endpoint that can be used now") }
    return lines.joined(separator: "\n")
  }

  private func line(_ candidate: Candidate, _ table: RouteTable) -> String {
    let endpoint = table.endpoints[candidate.place]
    var parts: [String] = []
    let verdict =
      switch candidate.verdict {
      case .picked: "picked" + (decision.isHeld ? " (held)" : decision.isPinned ? " (pinned)" : "")
      case .fallback(let number): "fallback \(number)"
      case .rejected: "rejected"
      }
    parts.append(Self.padded(verdict, 12) + Self.padded(endpoint.id, 36))
    if case .rejected(let rejection) = candidate.verdict {
      return parts.joined() + " " + rejection.reason
    }
    if let score = candidate.score {
      let terms = candidate.terms.filter { $0.value != 0 }.map { "\($0.name) \(Self.short($0.value))" }
      parts.append("score \(Self.short(score))" + (terms.isEmpty ? "" : " = " + terms.joined(separator: " + ")))
    }
    if let share = candidate.share { parts.append("first in \(Self.short(share * 100)) %") }
    if let cost = candidate.expectedCost {
      parts.append("expected $\(Self.usd(cost))")
    } else {
      parts.append("price unknown")
    }
    if candidate.cachedTokens >= 1 { parts.append("\(Int64(min(candidate.cachedTokens, 1e15))) tokens cached") }
    if let price = candidate.price {
      parts.append(
        "$\(Self.short(Double(price.input) / 1e6)) in, $\(Self.short(Double(price.output) / 1e6)) out per million")
    }
    if let estimate = candidate.estimate {
      let seen = candidate.report?.lastFiveMinutes
      let first = seen?.firstToken.map { "p50 \(Self.short($0.p50)) s, p90 \(Self.short($0.p90)) s" }
      parts.append("first token " + (first ?? "\(Self.short(estimate.firstToken)) s (expected)"))
      let speed = seen?.throughput.map { "p50 \(Self.short($0.p50))" }
      parts.append((speed ?? "\(Self.short(estimate.throughput)) (expected)") + " tokens/s")
      if let rate = candidate.report?.lastThirtyMinutes.successRate { parts.append("up \(Self.short(rate * 100)) %") }
    }
    if let lag = candidate.report?.lag { parts.append(lag) }
    if let outlier = candidate.report?.outlier { parts.append(outlier) }
    if candidate.breaker != EndpointHealth.closedWord { parts.append("breaker " + candidate.breaker) }
    if let keys = candidate.keys { parts.append(keys) }
    parts += candidate.setbacks
    return parts.joined(separator: "; ")
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text.count < width ? text + String(repeating: " ", count: width - text.count) : text + " "
  }

  private static func usd(_ pico: Double) -> String { Rejection.short(pico / 1e12) }

  /// Three significant digits for small numbers, none behind the point for large ones.
  private static func short(_ value: Double) -> String {
    guard value.isFinite else { return value > 0 ? "unknown" : "\(value)" }
    let size = abs(value)
    if size >= 100 { return Rejection.short(value.rounded()) }
    let scale = size >= 10 ? 10.0 : size >= 1 ? 100 : 10_000
    return Rejection.short((value * scale).rounded() / scale)
  }
}
