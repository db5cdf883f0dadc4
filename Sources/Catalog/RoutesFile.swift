/// routes.yaml as written: each value with its line and column, nothing looked up yet.
///
/// A file with mistakes is kept too, as far as it could be read, so that `RouteTable.compile` can name the mistakes
/// that only show when its parts are put together.
public struct RoutesFile: Sendable {
  /// What diagnostics call the file.
  public let name: String
  let textHash: UInt64
  var diagnostics: [Diagnostic] = []
  var providers: [ProviderEntry] = []
  var models: [ModelEntry] = []
  var routes: [RouteEntry] = []
  var presets: [PresetEntry] = []
  var keys: [KeyEntry] = []
  var listeners = Listeners.standard

  /// The keys at the top of the file.
  static let topKeys = ["providers", "models", "routes", "presets", "keys", "listeners"]

  /// `providers.NAME`
  struct ProviderEntry: Sendable {
    let name: Located<String>
    /// `nil` after a mistake in it, and for a simulated provider.
    var baseURL: BaseURL?
    var simulation: Simulation?
    var dialect = Provider.Dialect.openai
    var credentials: [Located<CredentialSource>] = []
    var headers: [Provider.Header] = []
    var httpVersion = Provider.HTTPVersion.http1
    var timeouts = TimeoutChanges()
    var caFile: String?
    var isOptional = false
    /// How its models are discovered; `nil`: not at all.
    var discovery: DiscoverySettings?
    /// The price of every model that is discovered.
    var price: PriceEntry?
    /// What its endpoints inherit.
    var traits = DeclaredTraits()

    var discovers: Bool { discovery != nil }
  }

  /// Where a credential comes from.
  enum CredentialSource: Sendable {
    case environment(String)
    case file(String)
    case plain(Secret)
  }

  /// `models.NAME`
  struct ModelEntry: Sendable {
    let name: Located<String>
    var endpoints: [EndpointEntry] = []
    var created: Int64 = 0
    var isDistillable: Bool?
    var quality: Double?
  }

  /// One item of `models.NAME.endpoints`
  struct EndpointEntry: Sendable {
    let mark: SourceMark
    let provider: Located<String>
    let upstreamModel: String
    /// The provider's own name of the model is written; else it is the model's.
    let namesModel: Bool
    var price: PriceEntry?
    var context: Int?
    var maxOutput: Int?
    var traits = DeclaredTraits()
  }

  /// `price` of an endpoint or a provider
  struct PriceEntry: Sendable {
    /// `nil` after a mistake in it.
    var price: Price?
    /// Pico-USD per request and per image.
    var request: Int64 = 0
    var image: Int64 = 0
    var overrides: [PriceOverride] = []
  }

  /// `keys.NAME`
  struct KeyEntry: Sendable {
    let name: Located<String>
    let digest: [UInt8]
    var concurrency: Int?
  }

  /// Reads `text`; the file is `nil` only when the text is no YAML at all.
  ///
  /// All mistakes are found at once. `name` is what the diagnostics call the file.
  public static func parse(_ text: String, name: String = "routes.yaml") -> (
    file: RoutesFile?, diagnostics: [Diagnostic]
  ) {
    var hash = FNV1a()
    hash.combine(text.utf8)
    var reader = RoutesFileReader(file: RoutesFile(name: name, textHash: hash.value))
    do throws(YAMLReader.Problem) {
      let (root, problems) = try YAMLReader.read(text)
      for problem in problems { reader.mistakes.error(problem.mark, problem.message) }
      reader.readFile(root)
    } catch {
      reader.mistakes.error(error.mark, error.message)
      return (nil, reader.mistakes.sorted)
    }
    reader.file.diagnostics = reader.mistakes.sorted
    return (reader.file, reader.file.diagnostics)
  }
}
