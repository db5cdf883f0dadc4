import Catalog
import HTTPTypes
import Hummingbird
import Logging

/// The admin listener: metrics now, the admin API and the dashboard later. Ordinary Swift concurrency on Hummingbird;
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

  private let configuration: Configuration
  private let metrics: @Sendable () -> String
  private let logger: Logger

  /// - Parameter metrics: makes the Prometheus page.
  public init(_ configuration: Configuration, logger: Logger, metrics: @escaping @Sendable () -> String) {
    self.configuration = configuration
    self.logger = logger
    self.metrics = metrics
  }

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
    router.get("/") { _, _ in
      "Pointsman's admin listener.\n\n/metrics   Prometheus metrics\n/livez     health\n"
    }
    let application = Application(
      router: router,
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port), serverName: nil),
      onServerRunning: { channel in await onListening(channel.localAddress?.port ?? configuration.port) },
      logger: logger)
    try await application.run()
  }
}
