import Catalog
import Wire

/// One reason why endpoints may not serve a request. A filter exists only when the request or its route gives it
/// something to look at, so that what nobody asks for costs nothing.
enum CandidateFilter {
  case tier(TierFilter)
  case parameters(ParameterFilter)
  case modalities(ModalityFilter)
  case length(LengthFilter)
  case capacity(CapacityFilter)
  case free(FreeFilter)
  case quantization(QuantizationFilter)
  case dataPolicy(DataPolicyFilter)
  case distillation(DistillationFilter)
  case quality(QualityFilter)
  case maxPrice(MaxPriceFilter)
  case region(RegionFilter)
  case allowed(AllowedFilter)

  /// The filters for a request, the cheap ones in front.
  ///
  /// - Parameter sellsFlex: whether any candidate sells the flex tier; `nil` when there are no tiers at all.
  static func all(for question: Question, limits: RouteLimits, sellsFlex: Bool?) -> [CandidateFilter] {
    var filters: [CandidateFilter] = []
    filters.reserveCapacity(8)
    filters.append(.length(LengthFilter(question)))
    filters.append(.capacity(CapacityFilter()))
    func add<Filter>(_ filter: Filter?, _ make: (Filter) -> CandidateFilter) {
      if let filter { filters.append(make(filter)) }
    }
    if let sellsFlex { filters.append(.tier(TierFilter(question, sellsFlex: sellsFlex))) }
    add(ParameterFilter(question, limits)) { .parameters($0) }
    add(ModalityFilter(question)) { .modalities($0) }
    add(FreeFilter(question)) { .free($0) }
    func addDemands(_ controls: RequestControls, _ source: Rejection.Source) {
      add(QuantizationFilter(controls, source)) { .quantization($0) }
      add(DataPolicyFilter(controls, source)) { .dataPolicy($0) }
      add(DistillationFilter(controls, source)) { .distillation($0) }
      add(MaxPriceFilter(controls, source, question)) { .maxPrice($0) }
      add(AllowedFilter(controls, source)) { .allowed($0) }
    }
    if limits.hasControls { addDemands(limits.controls, .route) }
    if let controls = question.controls { addDemands(controls, .request) }
    add(QualityFilter(limits)) { .quality($0) }
    add(RegionFilter(limits)) { .region($0) }
    return filters
  }

  /// Why the endpoint may not serve; `nil` when this filter lets it through.
  @inline(__always)
  func rejection(of facts: CandidateFacts, at place: Int, in candidates: CandidateTable, running: Int) -> Rejection? {
    switch self {
    case .length(let filter): filter.rejection(of: facts)
    case .capacity(let filter): filter.rejection(of: facts, running: running)
    case .tier(let filter): filter.rejection(of: facts, at: place, in: candidates)
    case .parameters(let filter): filter.rejection(of: facts)
    case .modalities(let filter): filter.rejection(of: facts)
    case .free(let filter): filter.rejection(of: facts)
    case .quantization(let filter): filter.rejection(of: facts)
    case .dataPolicy(let filter): filter.rejection(of: facts)
    case .distillation(let filter): filter.rejection(of: facts)
    case .quality(let filter): filter.rejection(of: facts)
    case .maxPrice(let filter): filter.rejection(of: facts, at: place, in: candidates)
    case .region(let filter): filter.rejection(at: place, in: candidates)
    case .allowed(let filter): filter.rejection(at: place, in: candidates)
    }
  }
}
