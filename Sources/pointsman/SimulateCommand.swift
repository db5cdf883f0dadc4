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

      With --judge nothing listens: fleets and agents are simulated in process, on a clock of their own, each policy of \
      this router, OpenRouter's and LiteLLM's as they are documented, and an oracle that knows what comes run in the \
      same worlds, and a table says what each one cost. The same traces and seeds give the same table.
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

  @Flag(help: "Judge the policies instead: see above.") var judge = false
  @Option(help: ArgumentHelp("With --judge: the folder of the traces, one JSON file each.", valueName: "dir"))
  var traces = "Tests/Traces"
  @Option(help: ArgumentHelp("With --judge: the seeds, FIRST-LAST.", valueName: "seeds")) var seeds: String?
  @Option(
    help: ArgumentHelp("With --judge: only this one, such as \"pointsman price\". May be repeated.", valueName: "name"))
  var chooser: [String] = []
  @Flag(help: "With --judge: JSON.") var json = false

  func validate() throws {
    if seeds != nil, seedRange == nil { throw ValidationError("--seeds is FIRST-LAST, as in 21-40") }
    if !(1...64).contains(threads) { throw ValidationError("--threads must be 1 to 64") }
  }

  private var seedRange: ClosedRange<Int>? {
    guard let seeds else { return Judge.reportedSeeds }
    let ends = seeds.split(separator: "-").compactMap { Int($0) }
    guard let first = ends.first, let last = ends.last, ends.count <= 2, first >= 0, first <= last else { return nil }
    return first...last
  }

  private func printVerdict() throws {
    do {
      let verdict = try Judge.run(
        traces: try Judge.traces(in: traces), seeds: seedRange ?? Judge.reportedSeeds,
        choosers: chooser.isEmpty ? nil : chooser, progress: { StandardError.print("judged: \($0)") })
      print(json ? String(decoding: try verdict.json, as: UTF8.self) : verdict.text)
    } catch {
      StandardError.print("pointsman: \(error)")
      throw ExitCode(1)
    }
  }

  func run() throws {
    if judge { return try printVerdict() }
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
