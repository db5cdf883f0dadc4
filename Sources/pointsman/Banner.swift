import Catalog
import Foundation

/// What `serve` prints once it listens: where it is, and a line to try it with.
struct Banner {
  let table: RouteTable
  let api: String
  let data: String
  let routes: String

  func print(admin: String) {
    let route = table.routes.first { !$0.isImplied && !$0.candidates.isEmpty } ?? table.routes.first
    let key = table.keys.isEmpty ? "" : " -H 'Authorization: Bearer <your key>'"
    let name = (route?.name ?? "chat").replacing("'", with: "'\\''").replacing("\"", with: "\\\"")
    let body = #"{"model":"\#(name)","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#
    var lines = [
      "Pointsman \(Pointsman.version) listens.",
      "",
      "  API base URL   \(api)/v1",
      "  Dashboard      \(admin)/   (metrics: \(admin)/metrics)",
      "  Routes         \(routes): \(table.routes.filter { !$0.isImplied }.map(\.name).joined(separator: ", "))",
      "  Ledger         \(data)   (pointsman usage)",
      "",
      "Try it:",
      "",
      "  curl -N \(api)/v1/chat/completions -H 'Content-Type: application/json'\(key) -d '\(body)'",
      "",
    ]
    let simulated = table.providers.filter(\.isSimulated).map(\.name)
    if let route, route.candidates.allSatisfy({ table.providers[table.endpoints[$0].provider].isSimulated }) {
      lines.append(
        "The route \(route.name) is served by simulated providers (\(simulated.joined(separator: ", "))): their text is "
          + "made up.\nSet OPENROUTER_API_KEY, IO_NET_API_KEY … or start a local engine, and start again.")
      lines.append("")
    }
    Swift.print(lines.joined(separator: "\n"))
    fflush(nil)
  }
}
