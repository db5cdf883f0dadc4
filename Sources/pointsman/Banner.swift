import Catalog
import Foundation

/// What `serve` prints once it listens: where it is, and a line to try it with if there is anything to serve.
struct Banner {
  let table: RouteTable
  let api: String
  let data: String
  let routes: String

  func print(admin: String) {
    let named = table.routes.filter { !$0.isImplied }.map(\.name)
    let usage = data == CommonOptions.standardDataDirectory ? "" : " --data \(Self.quoted(data))"
    var lines = [
      "Pointsman \(Pointsman.version) listens.",
      "",
      "  API base URL   \(api)/v1",
      "  Metrics        \(admin)/metrics",
      "  Routes         \(routes): \(named.isEmpty ? "none" : named.joined(separator: ", "))",
      "  Ledger         \(data)   (pointsman usage\(usage))",
      "",
    ]
    let servable = table.routes.filter { !$0.candidates.isEmpty }
    let route = servable.first { !$0.isImplied } ?? servable.first
    if let route {
      let key = table.keys.isEmpty ? "" : " -H 'Authorization: Bearer <your key>'"
      let name = route.name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
      let body = #"{"model":"\#(name)","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#
      lines += [
        "Try it:",
        "",
        "  curl -N \(api)/v1/chat/completions -H 'Content-Type: application/json'\(key) -d \(Self.quoted(body))",
        "",
      ]
    }
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

  /// As one word of a shell's line.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
      UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0
        || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || "/._-".utf8.contains($0)
    }
    return isPlain && !text.isEmpty ? text : "'" + text.replacing("'", with: "'\\''") + "'"
  }
}
