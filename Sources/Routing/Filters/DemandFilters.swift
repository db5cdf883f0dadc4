import Catalog
import Wire

/// `:free`: endpoints that cost nothing.
struct FreeFilter {
  init?(_ question: Question) {
    if question.variant != .free { return nil }
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    facts.hasPrice && facts.price.input <= 0 && facts.price.output <= 0 && facts.requestPrice <= 0 ? nil : .notFree
  }
}

/// `quantizations`.
struct QuantizationFilter {
  private let wanted: Set<Quantization>
  private let source: Rejection.Source

  init?(_ controls: RequestControls, _ source: Rejection.Source) {
    if controls.quantizations.isEmpty { return nil }
    wanted = controls.quantizations
    self.source = source
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    facts.quantization.satisfies(wanted) ? nil : .quantization(facts.quantization, source)
  }
}

/// `data_collection: deny` and `zdr`. What is not declared is not promised, and both want a promise.
struct DataPolicyFilter {
  private let deniesCollection: Bool
  private let wantsNoRetention: Bool
  private let source: Rejection.Source

  init?(_ controls: RequestControls, _ source: Rejection.Source) {
    deniesCollection = controls.deniesDataCollection == true
    wantsNoRetention = controls.zeroDataRetention == true
    self.source = source
    if !deniesCollection, !wantsNoRetention { return nil }
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    if deniesCollection, facts.trains != false || facts.retains == true { return .dataCollection(source) }
    if wantsNoRetention, facts.retains != false { return .dataRetention(source) }
    return nil
  }
}

/// `enforce_distillable_text`.
struct DistillationFilter {
  private let source: Rejection.Source

  init?(_ controls: RequestControls, _ source: Rejection.Source) {
    if controls.distillableOnly != true { return nil }
    self.source = source
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    facts.isDistillable == true ? nil : .distillation(source)
  }
}

/// The route's quality floor. An endpoint without a score is let through: nobody said that it is bad.
struct QualityFilter {
  private let floor: Double

  init?(_ limits: RouteLimits) {
    guard let floor = limits.qualityFloor else { return nil }
    self.floor = floor
  }

  func rejection(of facts: CandidateFacts) -> Rejection? {
    guard let quality = facts.quality, quality < floor else { return nil }
    return .quality(has: quality, least: floor)
  }
}

/// `max_price`, against the price of this request at this time of day.
struct MaxPriceFilter {
  private let most: RequestControls.MaxPrice
  private let source: Rejection.Source
  private let promptTokens: Int64
  private let minuteOfDay: Int
  private let hasAudio: Bool

  init?(_ controls: RequestControls, _ source: Rejection.Source, _ question: Question) {
    guard let most = controls.maxPrice else { return nil }
    self.most = most
    self.source = source
    promptTokens = question.promptTokens
    minuteOfDay = question.minuteOfDay
    hasAudio = question.modalities.contains(.audio)
  }

  func rejection(of facts: CandidateFacts, at place: Int, in candidates: CandidateTable) -> Rejection? {
    // What sounds cost is nowhere declared, so a bound on it is not known to hold.
    guard facts.hasPrice, most.audio == nil || !hasAudio else { return .priceUnknown(source) }
    let price = candidates.price(at: place, promptTokens: promptTokens, minuteOfDay: minuteOfDay)
    return over("prompt", price.input, most.prompt) ?? over("completion", price.output, most.completion)
      ?? over("request", facts.requestPrice, most.request) ?? over("image", facts.imagePrice, most.image)
  }

  private func over(_ part: String, _ has: Double, _ most: Int64?) -> Rejection? {
    guard let most, has > Double(most) else { return nil }
    return .price(part: part, has: has, most: Double(most), source)
  }
}

/// The route's regions.
struct RegionFilter {
  private let regions: [String]

  init?(_ limits: RouteLimits) {
    if limits.regions.isEmpty { return nil }
    regions = limits.regions
  }

  func rejection(at place: Int, in candidates: CandidateTable) -> Rejection? {
    guard let region = candidates.table.endpoints[place].traits.region else { return .region(nil) }
    let fits = regions.contains { region == $0 || region.hasPrefix($0) && region.dropFirst($0.count).first == "-" }
    return fits ? nil : .region(region)
  }
}

/// `only` and `ignore`.
struct AllowedFilter {
  private let only: [String]
  private let ignored: [String]
  private let source: Rejection.Source

  init?(_ controls: RequestControls, _ source: Rejection.Source) {
    if controls.only.isEmpty, controls.ignore.isEmpty { return nil }
    only = controls.only
    ignored = controls.ignore
    self.source = source
  }

  func rejection(at place: Int, in candidates: CandidateTable) -> Rejection? {
    if !only.isEmpty, !candidates.matches(only, place) { return .notOnly(source) }
    if !ignored.isEmpty, candidates.matches(ignored, place) { return .ignored(source) }
    return nil
  }
}
