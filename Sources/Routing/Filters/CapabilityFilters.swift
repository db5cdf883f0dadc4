import Catalog
import Wire

/// Whether the request fits: its prompt and answer into the context, its `max_tokens` into what the endpoint gives.
struct LengthFilter {
  private let output: Int64
  private let needs: Int64

  init(_ question: Question) {
    output = question.maxOutput ?? 1
    // The estimate may be too high by its spread: nothing is turned away that may well fit.
    let least = Double(question.promptTokens) * (1 - min(max(question.promptSpread, 0), 0.9))
    let prompt = Int64(exactly: least.rounded(.down)) ?? question.promptTokens
    let (sum, overflows) = prompt.addingReportingOverflow(output)
    needs = overflows ? .max : sum
  }

  @inline(__always)
  func rejection(of facts: CandidateFacts) -> Rejection? {
    if output > facts.maxOutput { return .maxOutput(has: facts.maxOutput, needs: output) }
    if needs > facts.context { return .context(has: facts.context, needs: needs) }
    return nil
  }
}

/// Whether it may run one request more.
struct CapacityFilter {
  @inline(__always)
  func rejection(of facts: CandidateFacts, running: Int) -> Rejection? {
    running >= facts.concurrency ? .full(concurrency: facts.concurrency) : nil
  }
}

/// Whether it takes the parameters. Without tools or the asked format an answer would be another than the one asked for,
/// so these are demanded always; the others only when the request or the route says `require_parameters`. The rest is
/// left out of what such an endpoint is sent.
struct ParameterFilter {
  private static let essential: ParameterSet = [.tools, .toolChoice, .responseFormat, .structuredOutputs]
  private let demanded: ParameterSet

  init?(_ question: Question, _ limits: RouteLimits) {
    let requiresAll =
      question.controls?.requireParameters == true
      || limits.hasControls && limits.controls.requireParameters == true
    demanded = requiresAll ? question.parameters : question.parameters.intersection(Self.essential)
    if demanded.isEmpty { return nil }
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    let missing = demanded.subtracting(facts.parameters)
    return missing.isEmpty ? nil : .parameters(missing)
  }
}

/// Whether it takes images, sounds, files.
struct ModalityFilter {
  private let demanded: InputModalities

  init?(_ question: Question) {
    demanded = question.modalities
    if demanded.isEmpty { return nil }
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    let missing = demanded.subtracting(facts.inputs)
    return missing.isEmpty ? nil : .modalities(missing)
  }
}

/// Whether it sells the class of service that was asked for. `flex` is served by flex endpoints alone where there are
/// any; `priority` and `:nitro` add the priority ones, `:floor` adds the flex ones (OpenRouter's pools). A slug that the
/// request names admits its endpoint whatever it sells.
struct TierFilter {
  private let admitsFlex: Bool
  private let admitsDefault: Bool
  private let admitsPriority: Bool
  private let named: [String]

  init(_ question: Question, sellsFlex: Bool) {
    let asked = question.controls?.serviceTier
    named = (question.controls?.order ?? []) + (question.controls?.only ?? [])
    // Naming an order or the usual tier takes the suffixes' admission away.
    let admitsBySuffix = (question.controls?.order.isEmpty ?? true) && asked != .default
    admitsFlex = asked == .flex || admitsBySuffix && question.variant == .floor
    admitsPriority = asked == .priority || admitsBySuffix && question.variant == .nitro
    admitsDefault = asked != .flex || !sellsFlex
  }

  func rejection(of facts: CandidateFacts, at place: Int, in candidates: CandidateTable) -> Rejection? {
    let isAdmitted =
      switch facts.tier {
      case .flex: admitsFlex
      case .priority: admitsPriority
      default: admitsDefault
      }
    if isAdmitted || !named.isEmpty && candidates.matches(named, place) { return nil }
    return .tier(facts.tier)
  }
}
