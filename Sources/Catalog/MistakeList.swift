/// Collects the diagnostics of one file; bounded, so that a broken file of a million lines has an end.
struct MistakeList {
  static let most = 1_000

  let file: String
  private(set) var hasErrors = false
  private var diagnostics: [Diagnostic] = []
  /// To search for a similar name among thousands is slow, so only the first mistakes get it.
  private var suggestionsLeft = 20

  init(file: String, diagnostics: [Diagnostic] = []) {
    self.file = file
    self.diagnostics = diagnostics
    hasErrors = diagnostics.contains { $0.severity == .error }
  }

  mutating func error(_ mark: SourceMark, _ message: String) {
    hasErrors = true
    append(mark, .error, message)
  }

  mutating func warning(_ mark: SourceMark, _ message: String) {
    append(mark, .warning, message)
  }

  private mutating func append(_ mark: SourceMark, _ severity: Diagnostic.Severity, _ message: String) {
    guard diagnostics.count < Self.most else { return }
    diagnostics.append(
      Diagnostic(file: file, line: mark.line, column: mark.column, severity: severity, message: message))
  }

  /// `; did you mean "…"?`, or when nothing is near, `otherwise`.
  mutating func suggestion(
    for text: String, among known: some Sequence<String>, otherwise: @autoclosure () -> String = ""
  ) -> String {
    guard suggestionsLeft > 0 else { return "" }
    suggestionsLeft -= 1
    guard let near = Wording.nearest(to: text, among: known) else { return otherwise() }
    return "; did you mean \(Wording.quoted(near))?"
  }

  /// By line and column; what aliases made appear twice is there once.
  var sorted: [Diagnostic] {
    let all = diagnostics.sorted { ($0.line, $0.column, $0.message) < ($1.line, $1.column, $1.message) }
    return all.indices.filter { $0 == 0 || all[$0] != all[$0 - 1] }.map { all[$0] }
  }
}
