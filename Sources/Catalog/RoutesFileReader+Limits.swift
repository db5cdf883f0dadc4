import Wire

extension RoutesFileReader {
  private static let limitKeys = [
    "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr", "distillable",
    "quantizations", "max_price", "regions", "quality",
  ]
  static let collection = [("allow", false), ("deny", true)]

  /// What a route or a rule demands of every endpoint.
  mutating func limits(_ entry: YAMLEntry) -> RoutesFile.LimitsEntry {
    var limits = RoutesFile.LimitsEntry(mark: entry.mark)
    let fields = fields(entry.value, of: "limits", known: Self.limitKeys)
    limits.controls.only = slugs(fields["only"], &limits.slugs)
    limits.controls.ignore = slugs(fields["ignore"], &limits.slugs)
    limits.controls.allowFallbacks = flag(fields["allow_fallbacks"])
    limits.controls.requireParameters = flag(fields["require_parameters"])
    limits.controls.deniesDataCollection = word(fields["data_collection"], among: Self.collection)
    limits.controls.zeroDataRetention = flag(fields["zdr"])
    limits.controls.distillableOnly = flag(fields["distillable"])
    limits.controls.quantizations = quantizations(fields["quantizations"])
    if let field = fields["max_price"] {
      limits.controls.maxPrice = maxPrice(
        field, [("input", \.prompt), ("output", \.completion)], [("request", \.request), ("image", \.image)])
    }
    limits.regions = someTexts(fields["regions"]).compactMap { region($0) }
    limits.qualityFloor = number(fields["quality"], 0...1)
    return limits
  }

  mutating func slugs(_ entry: YAMLEntry?, _ all: inout [Located<String>]) -> [String] {
    var slugs: [String] = []
    for text in someTexts(entry) {
      guard let slug = slug(text) else { continue }
      slugs.append(slug)
      all.append(Located(value: slug, mark: text.mark))
    }
    return slugs
  }

  mutating func quantizations(_ entry: YAMLEntry?) -> Set<Quantization> {
    Set(someTexts(entry).compactMap { word($0, "quantization", among: Self.quantizations) })
  }

  typealias PricePart = (String, WritableKeyPath<RequestControls.MaxPrice, Int64?>)

  /// - Parameters:
  ///   - perMillion: parts in USD per million tokens, by their keys.
  ///   - perUnit: parts in USD each.
  mutating func maxPrice(
    _ entry: YAMLEntry, _ perMillion: [PricePart], _ perUnit: [PricePart]
  ) -> RequestControls.MaxPrice? {
    var most = RequestControls.MaxPrice()
    let fields = fields(entry.value, of: "max_price", known: (perMillion + perUnit).map(\.0))
    for (key, part) in perMillion { most[keyPath: part] = amount(fields[key]) }
    for (key, part) in perUnit { most[keyPath: part] = amount(fields[key], perUnit: true) }
    return most == RequestControls.MaxPrice() ? nil : most
  }
}
