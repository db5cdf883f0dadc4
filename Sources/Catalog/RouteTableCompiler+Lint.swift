import Wire

extension RouteTableCompiler {
  /// How many endpoints a message names at most.
  private static let mostNamed = 6

  /// What is doubtful in a file without errors.
  mutating func lint() {
    for plan in plans {
      lintCandidates(plan)
      lintPrices(plan)
    }
    lintSlugs()
  }

  /// Rules that can never match, and one that changes nothing.
  mutating func lintRules(_ entry: RoutesFile.RouteEntry) {
    for (place, rule) in entry.rules.enumerated() {
      let name = Wording.quoted(rule.name)
      if let reason = rule.condition.contradiction {
        mistakes.warning(rule.mark, "rule \(name) can never match: \(reason)")
        continue
      }
      let earlier = entry.rules[..<place].first { other in
        other.condition.contradiction == nil && other.condition.covers(rule.condition)
      }
      if let earlier {
        let message = "rule \(name) can never match: \(Wording.quoted(earlier.name)) above it takes all that it would"
        mistakes.warning(rule.mark, message + "; put the narrower one first")
      }
      // One before others keeps requests from them; the last one does nothing.
      if place == entry.rules.count - 1, rule.models == nil, rule.policy == nil, rule.limits == nil {
        mistakes.warning(rule.mark, "rule \(name) changes nothing; write models, policy or limits")
      }
    }
  }

  /// A plan whose every endpoint its own limits, or its rule's prompt lengths, exclude.
  private mutating func lintCandidates(_ planned: PlannedPlan) {
    let candidates = planned.plan.candidates
    guard !candidates.isEmpty, planned.condition?.contradiction == nil else { return }
    let least = planned.condition?.minPromptTokens ?? 0
    var reasons: [String] = []
    for place in candidates {
      let endpoint = endpoints[place]
      let providerName = providers[endpoint.provider].name.lowercased()
      let reason = planned.plan.limits.excluding(endpoint, of: models[endpoint.model], providerName: providerName)
      if let reason {
        reasons.append("\(endpoint.id) by \(reason)")
      } else if let context = endpoint.context, Int64(context) < least {
        reasons.append("\(endpoint.id) by its context")
      } else {
        return
      }
    }
    let named = reasons.prefix(Self.mostNamed).joined(separator: ", ")
    let rest = reasons.count > Self.mostNamed ? ", …" : ""
    mistakes.warning(
      planned.limits?.mark ?? planned.mark,
      "no endpoint of \(planned.title) can ever serve: excluded are \(named)\(rest)")
  }

  /// A route that is to carry cut streams on, while no endpoint of it is known to be able to.
  mutating func lintResume(_ entry: RoutesFile.RouteEntry, _ route: Route) {
    let candidates = route.candidates + route.rules.flatMap(\.plan.candidates)
    guard let mark = entry.resumeMark, entry.resumes, !candidates.isEmpty else { return }
    guard candidates.allSatisfy({ endpoints[$0].traits.continuation == nil }) else { return }
    let ways = Wording.choice(Continuation.allCases.map(\.rawValue))
    mistakes.warning(
      mark,
      "no endpoint of route \(Wording.quoted(entry.name.value)) says how it carries a cut answer on; write resume: \(ways) "
        + "at a provider or an endpoint")
  }

  private mutating func lintPrices(_ planned: PlannedPlan) {
    guard planned.plan.policy == .price, let mark = planned.policyMark else { return }
    let unpriced = planned.plan.candidates.filter { endpoints[$0].price == nil }.map { endpoints[$0].id }
    guard !unpriced.isEmpty else { return }
    let named = unpriced.prefix(Self.mostNamed).joined(separator: ", ") + (unpriced.count > Self.mostNamed ? ", …" : "")
    mistakes.warning(mark, "the policy price knows no price of \(named), so it puts them last")
  }

  /// Slugs that mean nobody: a filter that is misspelt is no filter.
  private mutating func lintSlugs() {
    let slugs =
      file.routes.flatMap { ($0.limits?.slugs ?? []) + $0.rules.flatMap { $0.limits?.slugs ?? [] } }
      + file.presets.flatMap(\.slugs)
    if slugs.isEmpty { return }
    var known = Set(file.providers.map { $0.name.value.lowercased() })
    for tag in plannedModels.lazy.flatMap({ $0.planned.compactMap(\.tag) }) {
      known.insert(tag)
      for slash in tag.indices where tag[slash] == "/" { known.insert(String(tag[..<slash])) }
    }
    for slug in slugs where !known.contains(slug.value) && !mayBeListed {
      let hint = mistakes.suggestion(for: slug.value, among: known.sorted())
      mistakes.warning(slug.mark, "no provider and no tag is called \(Wording.quoted(slug.value))\(hint)")
    }
  }

  /// A provider that lists its endpoints with tags did not answer.
  private var mayBeListed: Bool {
    file.providers.indices.contains { place in file.providers[place].discovers && lists[place] == nil }
  }
}
