import Catalog
import Wire

extension Explanation {
  /// The answer of `POST /admin/explain` and of `pointsman explain --json`. Money is USD, times are seconds; what is
  /// unknown is null.
  public func json(_ table: RouteTable) -> [UInt8] {
    var out = JSONObjectWriter()
    out.text("route", route)
    out.text("rule", rule)
    out.text("policy", policy)
    out.text("score_unit", scoreUnit)
    out.number("exploration", exploration)
    out.object("request") { out in
      out.number("prompt_tokens", Double(question.promptTokens))
      out.number("prompt_tokens_spread", question.promptSpread)
      out.number("expected_output_tokens", question.expectedOutput)
      out.number("max_tokens", question.maxOutput.map(Double.init))
      out.number("further_turns", question.furtherTurns)
      out.flag("known_conversation", !question.held.isEmpty)
    }
    out.flag("held", decision.isHeld)
    out.flag("pinned", decision.isPinned)
    out.flag("explored", decision.explored)
    out.list("candidates", candidates) { out, candidate in Self.write(candidate, table, &out) }
    return out.bytes
  }

  private static func write(_ candidate: Candidate, _ table: RouteTable, _ out: inout JSONObjectWriter) {
    let endpoint = table.endpoints[candidate.place]
    out.text("endpoint", endpoint.id)
    out.text("provider", table.providers[endpoint.provider].displayName)
    out.text("model", table.models[endpoint.model].name)
    switch candidate.verdict {
    case .picked: out.text("verdict", "picked")
    case .fallback(let number):
      out.text("verdict", "fallback")
      out.number("fallback", Double(number))
    case .rejected(let rejection):
      out.text("verdict", "rejected")
      out.text("code", rejection.code)
      out.text("reason", rejection.reason)
    }
    out.number("score", candidate.score)
    if !candidate.terms.isEmpty {
      out.object("terms") { out in
        for term in candidate.terms { out.number(term.name, term.value) }
      }
    }
    out.number("share", candidate.share)
    out.texts("setbacks", candidate.setbacks)
    out.text("breaker", candidate.breaker)
    out.text("keys", candidate.keys)
    out.number("expected_cost_usd", candidate.expectedCost.map { $0 / 1e12 })
    out.number("cached_tokens", candidate.cachedTokens)
    if let price = candidate.price {
      out.object("price_usd_per_million") { out in
        out.number("input", Double(price.input) / 1e6)
        out.number("cached_input", price.cachedInput.map { Double($0) / 1e6 })
        out.number("cache_write", price.cacheWrite.map { Double($0) / 1e6 })
        out.number("output", Double(price.output) / 1e6)
      }
    }
    if let estimate = candidate.estimate {
      out.object("expected") { out in
        out.number("seconds_to_first_token", estimate.firstToken)
        out.number("tokens_per_second", estimate.throughput)
        out.number("failure_rate", estimate.failureRate)
        out.number("interruption_rate", estimate.interruptionRate)
        out.number("cache_yield", estimate.cacheYield)
        out.number("samples", Double(estimate.samples))
      }
    }
    if let report = candidate.report {
      write("last_5_minutes", report.lastFiveMinutes, &out)
      write("last_30_minutes", report.lastThirtyMinutes, &out)
      out.text("lag", report.lag)
      out.text("outlier", report.outlier)
    }
  }

  private static func write(_ name: String, _ window: EndpointReport.Window, _ out: inout JSONObjectWriter) {
    out.object(name) { out in
      out.number("requests", Double(window.requests))
      out.number("success_rate", window.successRate)
      for (name, percentiles) in [
        ("seconds_to_first_token", window.firstToken), ("tokens_per_second", window.throughput),
      ] {
        guard let percentiles else { continue }
        out.object(name) { out in
          out.number("p50", percentiles.p50)
          out.number("p75", percentiles.p75)
          out.number("p90", percentiles.p90)
          out.number("p99", percentiles.p99)
        }
      }
    }
  }

  /// Why nothing may serve, as `metadata.candidates` of the 404 body: one object a candidate.
  public func rejectionsJSON(_ table: RouteTable) -> [UInt8] {
    var out = JSONObjectWriter()
    out.list("candidates", candidates.prefix(64)) { out, candidate in
      guard case .rejected(let rejection) = candidate.verdict else { return }
      let endpoint = table.endpoints[candidate.place]
      out.text("provider", table.providers[endpoint.provider].displayName)
      out.text("model", table.models[endpoint.model].name)
      out.text("code", rejection.code)
      out.text("reason", rejection.reason)
    }
    return out.bytes
  }
}

/// Writes one JSON object, member by member. A `nil` is written as null, and so is a number that JSON cannot hold.
struct JSONObjectWriter {
  private var written: [UInt8] = [UInt8(ascii: "{")]
  private var isFirst = true

  var bytes: [UInt8] { written + [UInt8(ascii: "}")] }

  private mutating func key(_ name: String) {
    if !isFirst { written.append(UInt8(ascii: ",")) }
    isFirst = false
    written += JSONText.quoted(name)
    written.append(UInt8(ascii: ":"))
  }

  mutating func text(_ name: String, _ value: String?) {
    key(name)
    written += value.map { JSONText.quoted($0) } ?? Array("null".utf8)
  }

  mutating func number(_ name: String, _ value: Double?) {
    key(name)
    guard let value, value.isFinite else { return written += "null".utf8 }
    if let whole = Int64(exactly: value) {
      written += "\(whole)".utf8
    } else {
      written += "\(value)".utf8
    }
  }

  mutating func flag(_ name: String, _ value: Bool) {
    key(name)
    written += (value ? "true" : "false").utf8
  }

  mutating func texts(_ name: String, _ values: [String]) {
    key(name)
    written.append(UInt8(ascii: "["))
    for (position, value) in values.enumerated() {
      if position > 0 { written.append(UInt8(ascii: ",")) }
      written += JSONText.quoted(value)
    }
    written.append(UInt8(ascii: "]"))
  }

  mutating func object(_ name: String, _ body: (inout JSONObjectWriter) -> Void) {
    key(name)
    var inner = JSONObjectWriter()
    body(&inner)
    written += inner.bytes
  }

  mutating func list<Values: Collection>(
    _ name: String, _ values: Values, _ body: (inout JSONObjectWriter, Values.Element) -> Void
  ) {
    key(name)
    written.append(UInt8(ascii: "["))
    var isFirst = true
    for value in values {
      if !isFirst { written.append(UInt8(ascii: ",")) }
      isFirst = false
      var inner = JSONObjectWriter()
      body(&inner, value)
      written += inner.bytes
    }
    written.append(UInt8(ascii: "]"))
  }
}
