import ArgumentParser
import CLinux
import Catalog
import Foundation
import Logging
import Relay
import Routing
import Upstream
import Wire

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Which endpoint a request would go to, and why; no call is made.",
    discussion: """
      One line for each candidate: picked, fallback, or rejected and the reason; its price, what this request is \
      expected to cost there, the terms that add up to its score, and how fast and how available it was. The same code \
      decides for real requests.

      By default from the routes file and from what the router last saved in --data. With --admin the running router is \
      asked, which also knows what is running, what is failing, and where conversations have their caches.

      Exit status: 0 an endpoint would serve it, 1 none would, 2 wrong use.
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: "The route or model that is asked for, suffixes and presets included.") var model: String?
  @Option(
    help: ArgumentHelp("A file with a whole request as a client would send it; - is standard input.", valueName: "file")
  )
  var request: String?
  @Option(help: "The name of the client's key, for rules.") var key = ""
  @Option(
    help: ArgumentHelp("A header field, NAME: VALUE, for rules and controls. May be repeated.", valueName: "field"))
  var header: [String] = []
  @Option(
    help: ArgumentHelp(
      "Ask the router that has its admin listener here, as in http://127.0.0.1:8411.", valueName: "url"))
  var admin: String?
  @Option(help: ArgumentHelp("A file with the admin token.", valueName: "file")) var adminTokenFile: String?
  @Flag(help: "JSON.") var json = false

  func validate() throws {
    if model == nil, request == nil { throw ValidationError("write --model NAME, or --request FILE") }
    if header.contains(where: { !$0.contains(":") }) { throw ValidationError("--header is NAME: VALUE") }
  }

  func run() throws {
    let body = try requestBody()
    if let admin { return try ask(admin, body) }
    let keeper = KnowledgeKeeper(dataDirectory: common.dataDirectory, log: Logger(label: "pointsman"))
    let table = try table()
    let snapshot = RelaySnapshot(
      candidates: CandidateTable(table), health: EndpointHealth(table),
      knowledge: keeper.knowledge(for: table), conversations: ConversationIndex(),
      addresses: table.providers.map { _ in nil })
    do throws(ExplainQuery.Refusal) {
      var query = ExplainQuery(body: body)
      query.source = try source(table)
      let explanation = try query.explanation(
        snapshot, now: pm_monotonic_ns(), unixSeconds: Int64(Date().timeIntervalSince1970))
      print(json ? String(decoding: explanation.json(table), as: UTF8.self) : explanation.text(table))
      if explanation.decision.plan.endpoints.isEmpty {
        throw ExplainQuery.Refusal(message: "no endpoint may serve this")
      }
    } catch {
      StandardError.print("pointsman: \(error.message)")
      throw ExitCode(1)
    }
  }

  // MARK: - The request

  private func requestBody() throws -> [UInt8] {
    guard let request else {
      let text = JSONText.quoted(model ?? "")
      return Array(#"{"model":"#.utf8) + text + Array(#","messages":[{"role":"user","content":"Hello."}]}"#.utf8)
    }
    let data =
      request == "-"
      ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: request)
    guard let data else { throw ValidationError("--request \(request) cannot be read") }
    guard let model else { return Array(data) }
    guard var members = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw ValidationError("--request \(request) is not a JSON object")
    }
    members["model"] = model
    return Array(try JSONSerialization.data(withJSONObject: members))
  }

  private func source(_ table: RouteTable) throws(ExplainQuery.Refusal) -> RequestSource {
    var source = RequestSource()
    source.key = key
    for field in header {
      let parts = field.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
      guard parts.count == 2 else { continue }
      do throws(RequestError) {
        try source.take(parts[0].lowercased(), parts[1], wanted: table.ruleHeaders)
      } catch {
        throw ExplainQuery.Refusal(message: error.message)
      }
    }
    return source
  }

  private func table() throws -> RouteTable {
    do {
      return try RoutesLoader(path: common.config, listen: ListenAddress(host: "127.0.0.1", port: 0)).look()
    } catch let failure as StartFailure {
      for line in failure.lines { StandardError.print(line) }
      throw ExitCode(1)
    }
  }

  // MARK: - The running router

  private func ask(_ admin: String, _ body: [UInt8]) throws {
    var query = [json ? "format=json" : "format=text"]
    if !key.isEmpty { query.append("key=" + (key.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? key)) }
    var fields = header + ["Content-Type: application/json"]
    if let adminTokenFile, let token = try? RoutesSource.readSecret(adminTokenFile) {
      fields.append("Authorization: Bearer " + token.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    let answer = UpstreamProbe.send(
      admin + "/admin/explain?" + query.joined(separator: "&"), fields: fields, posting: body, milliseconds: 10_000)
    guard let answer else {
      StandardError.print("pointsman: no router answers at \(admin); is it running, and is that its admin listener?")
      throw ExitCode(1)
    }
    let text = String(decoding: answer.body, as: UTF8.self)
    guard answer.status == 200 else {
      StandardError.print("pointsman: \(text.trimmingCharacters(in: .whitespacesAndNewlines))")
      throw ExitCode(1)
    }
    print(text)
    if text.contains("\"verdict\":\"picked\"") || text.contains("\npicked") { return }
    throw ExitCode(1)
  }
}
