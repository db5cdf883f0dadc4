import Wire

extension RouteLimits {
  /// Which of these limits every request would fail at this endpoint, by the limit's key in routes.yaml; `nil` when some
  /// request may pass. It says the same as the filters of the decision, for the most favourable request.
  func excluding(_ endpoint: Endpoint, of model: Model, providerName: String) -> String? {
    let traits = endpoint.traits
    func matches(_ slugs: [String]) -> Bool {
      slugs.contains { endpoint.matches(slug: $0, providerName: providerName) }
    }
    if !controls.only.isEmpty, !matches(controls.only) { return "only" }
    if matches(controls.ignore) { return "ignore" }
    if !traits.quantization.satisfies(controls.quantizations) { return "quantizations" }
    if controls.deniesDataCollection == true, traits.trains != false || traits.retains == true {
      return "data_collection"
    }
    if controls.zeroDataRetention == true, traits.retains != false { return "zdr" }
    if controls.distillableOnly == true, model.isDistillable != true { return "distillable" }
    if let qualityFloor, let quality = traits.quality ?? model.quality, quality < qualityFloor { return "quality" }
    if !regions.isEmpty {
      guard let region = traits.region else { return "regions" }
      let fits = regions.contains { region == $0 || region.hasPrefix($0 + "-") }
      if !fits { return "regions" }
    }
    if let most = controls.maxPrice, isTooDear(endpoint, most) { return "max_price" }
    return nil
  }

  /// At its lowest, whatever the time of day and the prompt.
  private func isTooDear(_ endpoint: Endpoint, _ most: RequestControls.MaxPrice) -> Bool {
    guard let price = endpoint.price else { return true }
    let overrides = endpoint.traits.priceOverrides
    let input = ([price.input] + overrides.compactMap(\.input)).min() ?? price.input
    let output = ([price.output] + overrides.compactMap(\.output)).min() ?? price.output
    let parts = [
      (input, most.prompt), (output, most.completion), (endpoint.traits.requestPrice, most.request),
      (endpoint.traits.imagePrice, most.image),
    ]
    return parts.contains { has, limit in limit.map { has > $0 } ?? false }
  }
}
