import ArgumentParser
import CLinux
import Foundation

/// What every command takes.
struct CommonOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The routes file.", valueName: "file"))
  var config = "routes.yaml"

  @Option(
    help: ArgumentHelp(
      "Where the ledger lives. Default: $XDG_DATA_HOME/pointsman, else ~/.local/share/pointsman.", valueName: "dir"))
  var data: String?

  var dataDirectory: String { data ?? Self.standardDataDirectory }

  /// Where the ledger lives when nothing else is said.
  static var standardDataDirectory: String {
    let environment = ProcessInfo.processInfo.environment
    if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") { return "\(base)/pointsman" }
    return "\(environment["HOME"] ?? ".")/.local/share/pointsman"
  }
}

/// `HOST:PORT`, with a literal address; an IPv6 address stands in brackets.
struct ListenAddress: ExpressibleByArgument {
  var host: String
  var port: UInt16

  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  init?(argument: String) {
    guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...]) else {
      return nil
    }
    var host = String(argument[..<colon])
    if host == "localhost" { host = "127.0.0.1" }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard Self.isLiteral(host) else { return nil }
    self.init(host: host, port: port)
  }

  /// How `--help` shows a default.
  var defaultValueDescription: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

  /// Finds out whether it can be listened on, before anything is started.
  ///
  /// - Throws: `StartFailure` that names the address and the option that gives it.
  func requireFree(option: String) throws {
    let error = pm_check_free(host, port)
    guard error < 0 else { return }
    let reason = SystemReason(code: -error).text
    throw StartFailure("cannot listen on \(defaultValueDescription) (\(option)): \(reason)")
  }

  var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

  /// As it stands in a URL.
  func url(port: Int, scheme: String = "http") -> String {
    let shown = host == "0.0.0.0" || host == "::" ? "127.0.0.1" : host
    return "\(scheme)://\(shown.contains(":") ? "[\(shown)]" : shown):\(port)"
  }

  private static func isLiteral(_ host: String) -> Bool {
    var four = in_addr()
    var six = in6_addr()
    return inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1
  }
}
