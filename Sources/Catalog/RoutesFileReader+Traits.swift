import Wire

extension RoutesFileReader {
  /// The keys of an endpoint that `traits` reads; of a provider only some are known.
  static let traitKeys = [
    "tag", "tier", "parameters", "inputs", "quantization", "region", "data", "cache_life", "quality", "concurrency",
    "node_life", "resume",
  ]
  static let quantizations = Quantization.allCases.map { ($0.rawValue, $0) }
  private static let tiers = [ServiceTier.default, .flex, .priority].map { ($0.rawValue, $0) }
  private static let parameters = ParameterSet.names.map { ($0, ParameterSet(name: $0) ?? []) }
  private static let inputs = ["text", "image", "audio", "file", "video"].map { ($0, InputModalities(name: $0) ?? []) }
  private static let continuations: [(String, Continuation?)] =
    Continuation.allCases.map { ($0.rawValue, $0) } + [("none", nil)]
  private static let chatTemplates = ChatTemplate.allCases.map { ($0.rawValue, $0) }
  private static let longestTag = 128

  mutating func traits(_ fields: [String: YAMLEntry]) -> DeclaredTraits {
    var traits = DeclaredTraits()
    if let field = fields["tag"], let text = text(field.value, "tag") {
      traits.tag = slug(Located(value: text, mark: field.value.mark))
    }
    traits.tier = word(fields["tier"], among: Self.tiers)
    if let field = fields["parameters"] {
      traits.parameters = ParameterSet(
        texts(field.value, "parameters").compactMap { word($0, "parameter", among: Self.parameters) })
    }
    if let field = fields["inputs"] {
      traits.inputs = InputModalities(
        someTexts(field).compactMap { word($0, "input", among: Self.inputs) })
    }
    traits.quantization = word(fields["quantization"], among: Self.quantizations)
    if let field = fields["region"], let text = text(field.value, "region") {
      traits.region = region(Located(value: text, mark: field.value.mark))
    }
    if let field = fields["data"] {
      let data = self.fields(field.value, of: "data", known: ["trains", "retains"])
      traits.trains = flag(data["trains"])
      traits.retains = flag(data["retains"])
    }
    traits.cacheLife = duration(fields["cache_life"], least: .zero)
    traits.quality = number(fields["quality"], 0...1)
    traits.concurrency = count(fields["concurrency"], most: 1_000_000)
    traits.nodeLife = duration(
      fields["node_life"], least: .seconds(1), most: .seconds(365 * 86_400), bounds: "1s to 365d")
    readContinuation(fields["resume"], into: &traits)
    return traits
  }

  /// `resume`: a word, or `{ completion: TEMPLATE }`.
  private mutating func readContinuation(_ entry: YAMLEntry?, into traits: inout DeclaredTraits) {
    guard let entry, case .map(let entries) = entry.value.content else {
      traits.continuation = word(entry, among: Self.continuations)
      return
    }
    let way = Continuation.completion.rawValue
    let field = fields(entry.value, of: entry.key, known: [way])[way]
    if entries.isEmpty {
      let names = Wording.choice(Self.chatTemplates.map(\.0))
      mistakes.error(entry.value.mark, "resume is empty; write { completion: TEMPLATE }, where TEMPLATE is \(names)")
    }
    traits.continuation = .completion
    traits.chatTemplate = word(field, among: Self.chatTemplates)
  }

  /// A slug as clients name it in `order`, `only` and `ignore`, in lower case.
  mutating func slug(_ text: Located<String>) -> String? {
    let lower = text.value.lowercased()
    let isPlain =
      lower.utf8.count <= Self.longestTag && lower.utf8.first != UInt8(ascii: "/")
      && lower.utf8.allSatisfy { byte in
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || "-_./:".utf8.contains(byte)
      }
    guard isPlain else {
      let message =
        "\(Wording.quoted(text.value)) is no slug; use up to \(Self.longestTag) letters, digits and - _ . / :, as in near/turbo"
      mistakes.error(text.mark, message)
      return nil
    }
    return lower
  }

  /// A country or region, in lower case.
  mutating func region(_ text: Located<String>) -> String? {
    let lower = text.value.lowercased()
    let isPlain =
      lower.utf8.count <= 64 && lower.utf8.first != UInt8(ascii: "-")
      && lower.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
    guard isPlain else {
      mistakes.error(text.mark, "\(Wording.quoted(text.value)) is no region; write a country such as us, or us-east-1")
      return nil
    }
    return lower
  }
}
