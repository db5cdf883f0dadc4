/// One word of a simulated model's name, and what it makes the provider do.
///
/// A name is `sim` and any number of these words behind dashes: `sim-tokens-60-pace-5`, `sim-once-503`. A parameter
/// stands behind a dash or an `@`. What stands before a slash is left out (`anything/sim-429`). The one table below is
/// the grammar, the list of models and the text of `Simulator.modelHelp`.
struct ModelWord: Sendable {
  let name: String
  /// The letter that stands for the number behind the word, if it takes one.
  let parameter: String?
  let meaning: String
  let apply: @Sendable (inout ModelBehaviour, Int) -> Void

  init(
    _ name: String, _ parameter: String? = nil, _ meaning: String,
    _ apply: @escaping @Sendable (inout ModelBehaviour, Int) -> Void
  ) {
    self.name = name
    self.parameter = parameter
    self.meaning = meaning
    self.apply = apply
  }

  /// Every word, by subject.
  static let table: [(title: String, words: [ModelWord])] = [
    ("Length and pace", pace), ("Refusals", refusals), ("Broken HTTP and connections", transport),
    ("Broken streams", streams), ("What the answer holds", contents), ("Usage", usages),
    ("Framing of events and writes", framings),
  ]

  private static let byName: [String: ModelWord] = {
    var words: [String: ModelWord] = [:]
    for section in table { for word in section.words { words[word.name] = word } }
    return words
  }()

  /// The longest word that the parts of a name begin with, and of how many parts it is made.
  static func longest(_ parts: ArraySlice<String>) -> (word: ModelWord, length: Int)? {
    for length in stride(from: min(3, parts.count), through: 1, by: -1) {
      if let word = byName[parts.prefix(length).joined(separator: "-")] { return (word, length) }
    }
    return nil
  }
}

extension Simulator {
  /// Whether a model's name is made of known words.
  public static func understands(model name: String) -> Bool { ModelBehaviour(modelName: name) != nil }

  /// The model names that a simulated provider understands, as a text for `--help`.
  public static let modelHelp: String = {
    var text = """
      A model's name chooses what a simulated provider does: sim, and any words from these tables behind dashes, as in
      sim-tokens-60-pace-5 or sim-once-503. N, MS, S and BYTES are numbers, leading zeros allowed (answers
      echo the name, so they keep its length the same). A name that is not understood is a 404.

      """
    for section in ModelWord.table {
      text += "\n\(section.title)\n"
      for word in section.words {
        let form = word.name + (word.parameter.map { "-" + $0 } ?? "")
        text += "  " + form + String(repeating: " ", count: max(2, 20 - form.utf8.count)) + word.meaning + "\n"
      }
    }
    text += """

      An assistant's message at the end (with or without continue_final_message), and the end of a prompt of
      /v1/completions, that are how a simulated answer to that conversation begins, are gone on with: the same tokens as
      without a cut, max_tokens counted from there.

      """
    return text
  }()
}
