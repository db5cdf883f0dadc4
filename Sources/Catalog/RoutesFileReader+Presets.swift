import Wire

extension RoutesFileReader {
  private static let providerMembers = [
    "order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr",
    "enforce_distillable_text", "quantizations", "sort", "preferred_min_throughput", "preferred_max_latency",
    "max_price",
  ]
  private static let longestPresetName = 128

  mutating func readPreset(_ entry: YAMLEntry) {
    var preset = RoutesFile.PresetEntry(name: Located(value: entry.key, mark: entry.mark))
    if entry.key.utf8.count > Self.longestPresetName {
      mistakes.error(entry.mark, "this name of a preset is longer than \(Self.longestPresetName) bytes")
    }
    let fields = fields(entry.value, of: "a preset", known: ["model", "models", "provider", "service_tier"])
    if case .map(let entries) = entry.value.content, entries.isEmpty {
      mistakes.error(entry.mark, "this preset asks for nothing; write model, models, provider or service_tier")
    }
    if let field = fields["model"], let name = text(field.value, "model") {
      preset.model = Located(value: name, mark: field.value.mark)
    }
    preset.models = someTexts(fields["models"])
    if let field = fields["provider"] { readProviderMembers(field, &preset) }
    let tiers = ServiceTier.allCases.map { ($0.rawValue, $0) } + [("fast", .priority)]
    preset.controls.serviceTier = word(fields["service_tier"], among: tiers)
    file.presets.append(preset)
  }

  /// The members of a request's `provider` object, with the same meaning.
  private mutating func readProviderMembers(_ entry: YAMLEntry, _ preset: inout RoutesFile.PresetEntry) {
    var controls = preset.controls
    let fields = fields(entry.value, of: "a preset's provider", known: Self.providerMembers)
    controls.order = slugs(fields["order"], &preset.slugs)
    controls.only = slugs(fields["only"], &preset.slugs)
    controls.ignore = slugs(fields["ignore"], &preset.slugs)
    controls.allowFallbacks = flag(fields["allow_fallbacks"])
    controls.requireParameters = flag(fields["require_parameters"])
    controls.deniesDataCollection = word(fields["data_collection"], among: Self.collection)
    controls.zeroDataRetention = flag(fields["zdr"])
    controls.distillableOnly = flag(fields["enforce_distillable_text"])
    controls.quantizations = quantizations(fields["quantizations"])
    if let field = fields["sort"] { readSort(field, &controls) }
    controls.preferredMinThroughput = percentiles(fields["preferred_min_throughput"])
    controls.preferredMaxLatency = percentiles(fields["preferred_max_latency"])
    if let field = fields["max_price"] {
      controls.maxPrice = maxPrice(
        field, [("prompt", \.prompt), ("completion", \.completion), ("audio", \.audio)],
        [("request", \.request), ("image", \.image)])
    }
    preset.controls = controls
  }

  private mutating func readSort(_ entry: YAMLEntry, _ controls: inout RequestControls) {
    let keys = RequestControls.SortKey.allCases.map { ($0.rawValue, $0) }
    guard case .map = entry.value.content else {
      controls.sort = word(entry, among: keys)
      return
    }
    let fields = fields(entry.value, of: "sort", known: ["by", "partition"])
    controls.sort = word(fields["by"], among: keys)
    controls.sortsAcrossModels = word(fields["partition"], among: [("model", false), ("none", true)])
  }

  private mutating func percentiles(_ entry: YAMLEntry?) -> RequestControls.PercentileBounds? {
    guard let entry else { return nil }
    let most = 1_000_000_000.0
    guard case .map = entry.value.content else {
      return number(entry, 0...most).map { RequestControls.PercentileBounds(p50: $0) }
    }
    let fields = fields(entry.value, of: entry.key, known: ["p50", "p75", "p90", "p99"])
    let bounds = RequestControls.PercentileBounds(
      p50: number(fields["p50"], 0...most), p75: number(fields["p75"], 0...most), p90: number(fields["p90"], 0...most),
      p99: number(fields["p99"], 0...most))
    return bounds == RequestControls.PercentileBounds() ? nil : bounds
  }
}
