import ArgumentParser
import Foundation
import Simulator

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Runs the router.",
    discussion: """
      Reads the routes file, asks local engines for their models, starts the built-in simulated providers if the file \
      has any, and listens. SIGHUP reads the routes file and the certificate again: all of it is adopted, or nothing and \
      the log says why. SIGTERM drains: nothing new is accepted, running answers get --grace seconds to finish.

      Exit status: 0 after a clean stop, 1 when it cannot start (the reason is printed), 2 wrong use.
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: ArgumentHelp("Public listener: the inference API.", valueName: "host:port"))
  var listen = ListenAddress(host: "127.0.0.1", port: 8410)
  @Option(help: ArgumentHelp("Admin listener: metrics.", valueName: "host:port"))
  var admin = ListenAddress(host: "127.0.0.1", port: 8411)
  @Option(help: "Event loops of the data plane. Default: one per core.") var loops: Int?
  @Option(help: ArgumentHelp("Seconds that running answers get at a stop.", valueName: "seconds")) var grace = 30.0
  @Option(
    help: ArgumentHelp(
      "File with the token that the admin listener asks for; needed beyond loopback.", valueName: "file"))
  var adminTokenFile: String?

  func validate() throws {
    if let loops, !(1...256).contains(loops) { throw ValidationError("--loops must be 1 to 256") }
    if listen.port != 0, listen.port == admin.port, listen.host == admin.host {
      throw ValidationError("--listen and --admin are two listeners; give one of them another port")
    }
    if !(0...86400).contains(grace) { throw ValidationError("--grace must be 0 to 86400 seconds") }
  }

  func run() throws {
    do {
      try Service(
        routesPath: common.config, dataDirectory: common.dataDirectory, listen: listen, admin: admin,
        loops: loops ?? ProcessInfo.processInfo.activeProcessorCount, grace: grace, adminTokenFile: adminTokenFile
      ).run()
    } catch let failure as StartFailure {
      for line in failure.lines { StandardError.print(line) }
      throw ExitCode(1)
    }
  }
}

/// Why the router does not start, in lines for the admin.
struct StartFailure: Error {
  let lines: [String]

  init(_ lines: [String]) { self.lines = lines }
  init(_ line: String) { lines = ["pointsman: \(line)"] }
}
