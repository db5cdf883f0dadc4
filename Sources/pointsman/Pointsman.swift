import ArgumentParser
import Foundation

@main
struct Pointsman: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "pointsman",
    abstract: "An OpenAI-compatible inference router.",
    discussion: """
      Apps point their API base URL at it; it picks a model and a GPU provider for each request, streams the tokens \
      back, and records what every attempt consumed.

      Exit status: 0 fine, 1 the answer is no (a mistake in the file, a port that is taken), 2 wrong use.
      """,
    version: version,
    subcommands: [ServeCommand.self, CheckCommand.self, ExplainCommand.self, UsageCommand.self, SimulateCommand.self])

  /// As `main()` of the library, with 2 for wrong use.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let code = exitCode(for: error)
      if code == .validationFailure {
        StandardError.print(fullMessage(for: error))
        Foundation.exit(2)
      }
      exit(withError: error)
    }
  }
}
