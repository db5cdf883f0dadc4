import Testing

@testable import Catalog

/// A small file without mistakes, for tests to change.
let plainFile = """
  providers:
    near:
      base_url: https://near.example/v1
    far:
      base_url: http://far.example:8000/api/v1/
  models:
    story:
      endpoints:
        - { provider: near, price: { input: 1, output: 2 } }
        - { provider: far, model: other/story, price: { input: 3, output: 4 } }
  routes:
    chat:
      models: [story]
  """

/// Every diagnostic of a text, as it is printed.
func diagnose(_ text: String, _ inputs: CompileInputs = CompileInputs()) -> [String] {
  let (file, diagnostics) = RoutesFile.parse(text)
  guard let file else { return diagnostics.map(\.description) }
  return RouteTable.compile(file, inputs).diagnostics.map(\.description)
}

/// The table of a text that has no errors.
func table(_ text: String, _ inputs: CompileInputs = CompileInputs()) throws -> RouteTable {
  let (file, diagnostics) = RoutesFile.parse(text)
  let compiled = RouteTable.compile(try #require(file, "\(diagnostics)"), inputs)
  return try #require(compiled.table, "\(compiled.diagnostics)")
}

extension RouteTable {
  func route(_ name: String) -> Route? {
    let bytes = Array(name.utf8)
    return route(named: bytes.span).map { routes[$0] }
  }

  /// The ids of a route's candidates.
  func candidates(_ name: String) -> [String]? {
    route(name)?.candidates.map { endpoints[$0].id }
  }
}
