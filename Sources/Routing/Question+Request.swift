import Catalog
import Wire

/// Why a request asks for nothing that there is.
public enum UnknownName: Error, Equatable {
  /// No route or model of this name.
  case model(String)
  /// A suffix that is none of ours, behind the name of a model that there is.
  case variant(String)
  case preset(String)
  /// A preset that stands for no model, used as one.
  case presetWithoutModel(String)
  /// A name in `models`.
  case fallback(String)
}

extension Question {
  /// Reads a request as the decision wants it.
  ///
  /// - Parameters:
  ///   - held: what endpoints hold of its conversation.
  ///   - unixSeconds: the wall clock: prices and rules may depend on the time of day.
  public init(
    _ scan: RequestScan, from source: RequestSource, in candidates: CandidateTable, _ knowledge: Knowledge,
    held: [HeldPrefix], unixSeconds: Int64
  ) throws(UnknownName) {
    let table = candidates.table
    var controls = scan.controls
    if let given = source.controls { controls = (controls ?? RequestControls()).over(given) }
    if let name = controls?.preset {
      guard let preset = table.preset(named: name) else { throw .preset(name) }
      controls = controls?.over(preset.controls)
    }
    if let route = table.route(named: scan.modelName.span) {
      self.init(route: route)
    } else {
      let reference = ModelReference(scan.modelName.span)
      var base = reference.base
      if let name = reference.preset {
        guard let preset = table.preset(named: name) else { throw .preset(name) }
        controls = (controls ?? RequestControls()).over(preset.controls)
        if base.isEmpty {
          guard let model = preset.model else { throw .presetWithoutModel(name) }
          base = model
        }
      }
      guard let route = table.route(named: base) else { throw .model(reference.whole) }
      self.init(route: route)
      if let text = reference.variant {
        guard let known = ModelVariant(rawValue: text) else { throw .variant(text) }
        variant = known
      }
    }
    for name in controls?.models ?? [] {
      guard let fallback = table.route(named: name) else { throw .fallback(name) }
      if fallback != route, !fallbackRoutes.contains(fallback) { fallbackRoutes.append(fallback) }
    }
    if let id = source.sessionID, controls?.sessionID == nil {
      if controls == nil { controls = RequestControls() }
      controls?.sessionID = id
    }
    self.controls = controls
    let known = knowledge.routes.indices.contains(route) ? knowledge.routes[route] : RouteEstimate()
    promptTokens = Self.tokens(scan, known)
    promptSpread = known.spread
    maxOutput = scan.maxOutputTokens.map(Int64.init)
    expectedOutput = min(known.outputTokens, Double(scan.maxOutputTokens ?? .max)) * Double(scan.choiceCount)
    parameters = scan.parameters
    modalities = scan.modalities
    mediaCount = scan.mediaCount
    isStreamed = scan.stream
    hasCacheMarkers = scan.hasCacheMarkers
    hasReasoningSignatures = scan.hasReasoningSignatures
    self.unixSeconds = unixSeconds
    minuteOfDay = Int(((unixSeconds % 86_400) + 86_400) % 86_400 / 60)
    self.held = held
    // A conversation that goes on with probability p has p / (1 - p) more turns on average.
    let continues = min(max(known.continuation, 0), 0.95)
    furtherTurns = continues / (1 - continues)
    rule = table.routes[route].rules.firstIndex { $0.condition.holds(for: self, source) }
  }

  /// Bytes times what tokens a byte has been worth on this route, and a flat amount for each image or sound.
  private static func tokens(_ scan: RequestScan, _ known: RouteEstimate) -> Int64 {
    let bytes = Double(max(scan.bodyLength - scan.mediaBytes, 0))
    let tokens = bytes * known.tokensPerByte + Double(scan.mediaCount) * mediaTokens
    return Int64(exactly: tokens.rounded()) ?? 0
  }

  /// Tokens of an image, about: what a picture of 1,024 by 1,024 costs at the makers that say so (OpenAI 765, Anthropic
  /// 1,398).
  private static let mediaTokens = 1_000.0

  /// How many bytes of the prompt there are to be counted in tokens; 0 when media make the count useless.
  public static func countedBytes(_ scan: RequestScan) -> Int { scan.mediaCount == 0 ? scan.bodyLength : 0 }
}

extension RuleCondition {
  /// Whether every part that is there holds.
  func holds(for question: Question, _ source: RequestSource) -> Bool {
    if let minPromptTokens, question.promptTokens < minPromptTokens { return false }
    if let maxPromptTokens, question.promptTokens > maxPromptTokens { return false }
    if let hasTools, question.parameters.contains(.tools) != hasTools { return false }
    if let hasImages, question.modalities.contains(.image) != hasImages { return false }
    if let isStructured {
      let asks = !question.parameters.isDisjoint(with: [.responseFormat, .structuredOutputs])
      if asks != isStructured { return false }
    }
    if let isStreamed, question.isStreamed != isStreamed { return false }
    if let window, !window.contains(minuteOfDay: question.minuteOfDay) { return false }
    if !keys.isEmpty, !keys.contains(source.key) { return false }
    if !tags.isEmpty, !tags.contains(where: source.tags.contains) { return false }
    return headers.allSatisfy { source.headers[$0.name] == $0.value }
  }
}
