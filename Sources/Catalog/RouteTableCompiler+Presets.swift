extension RouteTableCompiler {
  /// The routes must be there: a preset may name each of them, and nothing else.
  mutating func compilePresets() {
    guard !file.presets.isEmpty else { return }
    let usable = Set(routes.map(\.name))
    for entry in file.presets {
      let title = "preset \(Wording.quoted(entry.name.value))"
      if let model = entry.model, !usable.contains(model.value), isKnown(model) {
        mistakes.warning(model.mark, "\(Wording.quoted(model.value)) cannot be used now, so neither can \(title) alone")
      }
      var controls = entry.controls
      for model in entry.models {
        if usable.contains(model.value) {
          controls.models.append(model.value)
        } else if isKnown(model) {
          mistakes.warning(model.mark, "\(Wording.quoted(model.value)) cannot be used now, so \(title) goes without it")
        }
      }
      presets.append(Preset(name: entry.name.value, model: entry.model?.value, controls: controls))
    }
  }

  /// Whether there is such a route or model at other times; else it is reported.
  private mutating func isKnown(_ name: Located<String>) -> Bool {
    if modelPlaces[name.value] != nil || discoveredProvider(of: name.value) != nil { return true }
    let known = Set(modelPlaces.keys).union(file.routes.map(\.name.value)).sorted()
    let hint = mistakes.suggestion(
      for: name.value, among: known, otherwise: "; write it under routes or models first")
    mistakes.error(name.mark, "there is no route or model \(Wording.quoted(name.value))\(hint)")
    return false
  }
}
