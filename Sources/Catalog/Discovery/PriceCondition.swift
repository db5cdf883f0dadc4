/// The `when` of a price override of OpenRouter's provider schema, as far as it depends on the length of the prompt.
/// What depends on anything else may hold or not.
indirect enum PriceCondition: Sendable {
  enum Truth: Sendable {
    case no, maybe, yes
  }

  /// Both bounds included.
  case promptTokens(from: Int64, through: Int64)
  case all([PriceCondition])
  case any([PriceCondition])
  case not(PriceCondition)
  case unknown

  /// Recurses as deep as the value is, which its reader bounds.
  init(_ value: JSONValue?) {
    guard let members = value?.members, !members.isEmpty else {
      self = .unknown
      return
    }
    self = .all(
      members.map { member in
        switch member.key {
        case "allOf": member.value.elements.map { .all($0.map { PriceCondition($0) }) } ?? .unknown
        case "anyOf": member.value.elements.map { .any($0.map { PriceCondition($0) }) } ?? .unknown
        case "not": .not(PriceCondition(member.value))
        case "prompt_tokens": Self.bounds(member.value)
        default: .unknown
        }
      })
  }

  private static func bounds(_ value: JSONValue) -> PriceCondition {
    guard let members = value.members, !members.isEmpty else { return .unknown }
    return .all(
      members.map { member in
        guard let bound = member.value.whole(in: 0...TokenCount.most) else { return .unknown }
        switch member.key {
        case "gte": return .promptTokens(from: bound, through: .max)
        case "lte": return .promptTokens(from: 0, through: bound)
        case "equals": return .promptTokens(from: bound, through: bound)
        default: return .unknown
        }
      })
  }

  func holds(promptTokens: Int64) -> Truth {
    switch self {
    case .promptTokens(let from, let through): return promptTokens >= from && promptTokens <= through ? .yes : .no
    case .all(let parts):
      var truth = Truth.yes
      for part in parts {
        switch part.holds(promptTokens: promptTokens) {
        case .no: return .no
        case .maybe: truth = .maybe
        case .yes: break
        }
      }
      return truth
    case .any(let parts):
      var truth = Truth.no
      for part in parts {
        switch part.holds(promptTokens: promptTokens) {
        case .yes: return .yes
        case .maybe: truth = .maybe
        case .no: break
        }
      }
      return truth
    case .not(let part):
      switch part.holds(promptTokens: promptTokens) {
      case .no: return .yes
      case .maybe: return .maybe
      case .yes: return .no
      }
    case .unknown: return .maybe
    }
  }

  /// The token counts above which it holds for others than before.
  func collectEdges(into edges: inout Set<Int64>) {
    switch self {
    case .promptTokens(let from, let through):
      if from > 0 { edges.insert(from - 1) }
      if through < .max { edges.insert(through) }
    case .all(let parts), .any(let parts):
      for part in parts { part.collectEdges(into: &edges) }
    case .not(let part): part.collectEdges(into: &edges)
    case .unknown: break
    }
  }

  /// Whether there is anything in it that is not about the prompt's length.
  var isUncertain: Bool {
    switch self {
    case .promptTokens: false
    case .all(let parts), .any(let parts): parts.contains { $0.isUncertain }
    case .not(let part): part.isUncertain
    case .unknown: true
    }
  }
}

/// What a number of tokens can be.
enum TokenCount {
  static let most: Int64 = 1_000_000_000
}
