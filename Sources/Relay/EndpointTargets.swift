import Catalog
import Upstream
import Wire

/// The upstream targets of one table on one loop, made when first used. Belongs to one loop.
final class EndpointTargets {
  private let snapshot: RelaySnapshot
  private var made: [UpstreamTarget?]
  private var served: [[UInt8]]

  init(snapshot: RelaySnapshot) {
    self.snapshot = snapshot
    let slots = snapshot.table.providers.reduce(0) { $0 + Self.slots($1) }
    made = Array(repeating: nil, count: slots)
    served = Array(repeating: [], count: snapshot.table.endpoints.count)
    var start = 0
    for provider in snapshot.table.providers {
      firstSlot.append(start)
      start += Self.slots(provider)
    }
  }
  private var firstSlot: [Int] = []

  private static func slots(_ provider: Provider) -> Int { 2 * max(provider.credentials.count, 1) }

  /// The header lines that say which endpoint served.
  func servedFields(of place: Int) -> [UInt8] {
    if served[place].isEmpty { served[place] = ServedFields.of(place, in: snapshot.table) }
    return served[place]
  }

  /// Whether a provider's name has resolved.
  func hasAddress(_ provider: Int) -> Bool { snapshot.addresses[provider]?.isEmpty != true }

  /// The target for a request to a provider by one of its keys.
  func target(provider index: Int, key credential: Int, kind: RequestKind) -> UpstreamTarget {
    let provider = snapshot.table.providers[index]
    let addresses = snapshot.addresses[index]
    let slot = firstSlot[index] + 2 * credential + (kind == .chatCompletions ? 0 : 1)
    if let target = made[slot] { return target }
    var fields = [
      (name: "Content-Type", value: "application/json"),
      (name: "Accept-Encoding", value: "identity"),
      (name: "User-Agent", value: "pointsman"),
    ]
    if provider.credentials.indices.contains(credential) {
      fields.append((name: "Authorization", value: "Bearer \(provider.credentials[credential].reveal())"))
    }
    for header in provider.headers { fields.append((name: header.name, value: header.value)) }
    let target = UpstreamTarget(
      url: kind == .chatCompletions ? provider.chatURL : provider.completionsURL, fields: fields, addresses: addresses,
      http2: provider.httpVersion == .http2,
      caFile: provider.caFile)
    made[slot] = target
    return target
  }
}
