import Catalog
import HTTPTypes
import Hummingbird
import Logging

/// The admin listener: metrics and the admin API. Ordinary Swift concurrency on Hummingbird;
/// nothing of the request path waits for it.
public struct AdminServer: Sendable {
  public struct Configuration: Sendable {
    public var host: String
    public var port: Int
    /// Host names and origins that are allowed beside loopback.
    public var allowed: Listeners.Listener
    /// When set, every request but the health check must carry it as a bearer token.
    public var token: Secret?

    public init(host: String, port: Int, allowed: Listeners.Listener, token: Secret?) {
      self.host = host
      self.port = port
      self.allowed = allowed
      self.token = token
    }
  }

  /// What `POST /admin/explain` is asked.
  public struct ExplainRequest: Sendable {
    /// An inference request as a client would send it.
    public var body: [UInt8]
    /// Of the request whose choice is explained: names in lower case.
    public var fields: [(name: String, value: String)]
    /// Name of the client's key.
    public var key: String
    /// A text for people instead of JSON.
    public var asText: Bool
  }

  /// An answer of the admin API.
  public struct Answer: Sendable {
    public var status: Int
    public var body: [UInt8]
    public var isText: Bool

    public init(status: Int, body: [UInt8], isText: Bool = false) {
      self.status = status
      self.body = body
      self.isText = isText
    }
  }

  private let configuration: Configuration
  private let metrics: @Sendable () -> String
  private let explain: @Sendable (ExplainRequest) -> Answer
  private let logger: Logger

  /// - Parameters:
  ///   - metrics: makes the Prometheus page.
  ///   - explain: says which endpoint a request would go to, and why.
  public init(
    _ configuration: Configuration, logger: Logger, metrics: @escaping @Sendable () -> String,
    explain: @escaping @Sendable (ExplainRequest) -> Answer
  ) {
    self.configuration = configuration
    self.logger = logger
    self.metrics = metrics
    self.explain = explain
  }

  private static let explainBodyLimit = 32 << 20

  /// Serves until the task is cancelled.
  ///
  /// - Parameter onListening: called with the port once the listener stands.
  public func run(onListening: @escaping @Sendable (Int) async -> Void) async throws {
    let router = Router()
    router.add(middleware: AdmissionMiddleware(configuration))
    router.get("/livez") { _, _ in "live\n" }
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: metrics())))
    }
    router.post("/admin/explain") { request, context in
      guard request.headers[.contentType]?.lowercased().hasPrefix("application/json") == true else {
        throw HTTPError(.unsupportedMediaType, message: "send the request to explain as application/json")
      }
      let body = try await request.body.collect(upTo: Self.explainBodyLimit)
      let fields = request.headers.map { (name: $0.name.canonicalName, value: $0.value) }
      let answer = explain(
        ExplainRequest(
          body: Array(buffer: body), fields: fields, key: request.uri.queryParameters.get("key") ?? "",
          asText: request.uri.queryParameters.get("format") == "text"))
      return Response(
        status: .init(code: answer.status),
        headers: [.contentType: answer.isText ? "text/plain; charset=utf-8" : "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
    router.get("/") { _, _ in
      """
      Pointsman's admin listener.

      /metrics              Prometheus metrics
      /livez                health
      POST /admin/explain   which endpoint a request would go to, and why; ?format=text, ?key=NAME

      """
    }
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil),
      onServerRunning: { channel in await onListening(channel.localAddress?.port ?? configuration.port) },
      logger: Logger(label: logger.label) { _ in OrdinaryStop(logger.handler) })
    try await application.run()
  }
}
