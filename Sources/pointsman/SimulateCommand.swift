import ArgumentParser
import Dispatch
import Foundation
import Simulator

struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Simulated providers alone, for trying rules and for tests.",
    discussion: """
      They answer in OpenAI's format with text that says it is simulated, and break on command: the model's name \
      chooses what happens.

      \(Simulator.modelHelp)
      """)

  @Option(help: ArgumentHelp("Where to listen; port 0 takes a free one.", valueName: "host:port"))
  var listen = ListenAddress(host: "127.0.0.1", port: 8420)
  @Option(help: ArgumentHelp("Append one JSON line per attempt to this file.", valueName: "file")) var log: String?
  @Option(
    help: ArgumentHelp(
      "A provider with a pace: NAME:FIRST_TOKEN_MS:TOKENS_PER_SECOND[:JITTER], found under /NAME/v1. May be repeated.",
      valueName: "provider"))
  var provider: [String] = []
  @Option(help: "Threads, 1 to 64.") var threads = 1

  func validate() throws {
    if !(1...64).contains(threads) { throw ValidationError("--threads must be 1 to 64") }
  }

  func run() throws {
    let stopping = StopSignal()
    do {
      let simulator = try Simulator.start(
        host: listen.host, port: listen.port, providers: try provider.map(Self.parse), log: log, threads: threads)
      print("simulated providers on \(listen.url(port: simulator.port))/v1 (answers are made up); Ctrl-C ends")
      fflush(nil)
      stopping.wait()
      simulator.stop()
    } catch let error as SimulatorError {
      StandardError.print("pointsman: \(error)")
      throw ExitCode(1)
    }
  }

  private static func parse(_ text: String) throws -> SimulatedProvider {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (3...4).contains(parts.count), let first = Int(parts[1]), let rate = Double(parts[2]),
      let jitter = parts.count == 4 ? Double(parts[3]) : 0
    else { throw ValidationError("--provider \(text): write NAME:FIRST_TOKEN_MS:TOKENS_PER_SECOND[:JITTER]") }
    return SimulatedProvider(
      name: String(parts[0]), firstTokenMilliseconds: first, tokensPerSecond: rate, jitter: jitter)
  }
}
