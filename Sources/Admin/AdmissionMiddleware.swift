import Catalog
import HTTPTypes
import Hummingbird

/// Turns away foreign hosts and origins, and requests without the admin token where one is set.
struct AdmissionMiddleware<Context: RequestContext>: RouterMiddleware {
  private let hosts: Set<String>
  private let anyHost: Bool
  private let origins: Set<String>
  private let token: Secret?

  init(_ configuration: AdminServer.Configuration) {
    var hosts: Set<String> = ["localhost", "127.0.0.1", "::1"]
    if configuration.host != "0.0.0.0", configuration.host != "::" { hosts.insert(configuration.host.lowercased()) }
    hosts.formUnion(configuration.allowed.hosts)
    self.hosts = Set(hosts.map { $0.filter { $0 != "[" && $0 != "]" } })
    anyHost = configuration.allowed.hosts.contains("*")
    origins = Set(configuration.allowed.origins)
    token = configuration.token
  }

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    guard let authority = request.head.authority, anyHost || hosts.contains(Self.host(of: authority)) else {
      throw HTTPError(
        .misdirectedRequest, message: "this listener does not answer to that Host; see listeners.admin.hosts")
    }
    if let origin = request.headers[.origin], !origins.contains(origin.lowercased()) {
      throw HTTPError(.forbidden, message: "pages of that Origin may not call this listener")
    }
    if let token, request.uri.path != "/livez" {
      guard Self.isEqual(request.headers[.authorization] ?? "", "Bearer \(token.reveal())") else {
        throw HTTPError(
          .unauthorized, headers: [.wwwAuthenticate: "Bearer"],
          message: "send the admin token: `Authorization: Bearer <token>`")
      }
    }
    return try await next(request, context)
  }

  /// The name or address; an IPv6 address without its brackets.
  private static func host(of authority: String) -> String {
    let name = authority.lowercased()
    if name.hasPrefix("["), let end = name.firstIndex(of: "]") { return String(name[..<end].dropFirst()) }
    return name.lastIndex(of: ":").map { String(name[..<$0]) } ?? name
  }

  /// Compares in a time that depends on the given text's length alone.
  private static func isEqual(_ given: String, _ expected: String) -> Bool {
    let expected = Array(expected.utf8)
    var difference = given.utf8.count ^ expected.count
    for (place, byte) in given.utf8.enumerated() {
      difference |= Int(byte ^ (expected.isEmpty ? 0 : expected[place % expected.count]))
    }
    return difference == 0
  }
}
