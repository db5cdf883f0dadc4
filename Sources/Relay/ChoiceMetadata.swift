import Catalog
import Routing
import Wire

/// `openrouter_metadata`, for clients that ask for it by the header `X-OpenRouter-Metadata: enabled`: what was there to
/// choose from, what was tried, and, beyond OpenRouter's members, why (`explanation`, as `POST /admin/explain` gives it).
///
/// Wire format: OpenRouter's router metadata.
struct ChoiceMetadata {
  let explanation: Explanation
  let table: RouteTable

  /// - Parameters:
  ///   - tried: what failed, in order.
  ///   - served: the place of the endpoint that answers; `nil` when none did.
  func json(tried: [FailedAttempt], served: Int?) -> [UInt8] {
    let available = explanation.candidates.filter { if case .rejected = $0.verdict { false } else { true } }
    let selected = served.map { table.providers[table.endpoints[$0].provider].displayName }
    var out = Array(#"{"requested":"#.utf8) + JSONText.quoted(explanation.route)
    out +=
      Array(#","strategy":"#.utf8)
      + JSONText.quoted(explanation.question.fallbackRoutes.isEmpty ? "direct" : "fallback")
    out += Array(#","summary":"#.utf8) + JSONText.quoted("available=\(available.count), selected=\(selected ?? "none")")
    out += Array(#","attempt":\#(served == nil && tried.isEmpty ? 0 : tried.count + (served == nil ? 0 : 1))"#.utf8)
    out += Array(#","endpoints":{"total":\#(explanation.candidates.count),"available":["#.utf8)
    for (position, candidate) in available.enumerated() {
      let endpoint = table.endpoints[candidate.place]
      if position > 0 { out.append(UInt8(ascii: ",")) }
      out += Array(#"{"provider":"#.utf8) + table.providers[endpoint.provider].displayNameJSON
      out += Array(#","model":"#.utf8) + table.models[endpoint.model].nameJSON
      out += Array(#","selected":\#(candidate.place == served)}"#.utf8)
    }
    out += Array(#"]},"attempts":["#.utf8)
    for (position, attempt) in tried.enumerated() {
      if position > 0 { out.append(UInt8(ascii: ",")) }
      out += Array(#"{"provider":"#.utf8) + JSONText.quoted(attempt.provider)
      out += Array(#","status":\#(attempt.status.map(String.init) ?? "null"),"failure":"#.utf8)
      out += JSONText.quoted(attempt.failure.name) + Array("}".utf8)
    }
    if let served {
      let endpoint = table.endpoints[served]
      if !tried.isEmpty { out.append(UInt8(ascii: ",")) }
      out += Array(#"{"provider":"#.utf8) + table.providers[endpoint.provider].displayNameJSON
      out += Array(#","model":"#.utf8) + table.models[endpoint.model].nameJSON + Array(#","status":200}"#.utf8)
    }
    out += Array(#"],"explanation":"#.utf8) + explanation.json(table) + Array("}".utf8)
    return out
  }
}
