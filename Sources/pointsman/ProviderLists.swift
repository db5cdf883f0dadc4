import Catalog
import Foundation
import Upstream

/// What the providers that want to be asked say of themselves: which are there, and what each one lists.
struct ProviderLists {
  /// For each provider that was asked for its models: what it listed.
  private(set) var models: [String: [DiscoveredModel]] = [:]
  /// The optional providers that did not answer.
  private(set) var unreachable: Set<String> = []
  /// When each list is to be read again, in seconds since 1970.
  private var dueAt: [String: Int64] = [:]
  /// What was wrong with the lists, one line each; new with each reading.
  private(set) var mistakes: [String] = []

  /// Asks all of them. Blocks as long as they take to answer.
  init(of file: RoutesFile) {
    for target in Self.targets(of: file) where target.discovers { ask(target) }
  }

  private static func targets(of file: RoutesFile) -> [DiscoveryTarget] {
    file.discoveryTargets(
      environment: ProcessInfo.processInfo.environment, readSecret: { try RoutesSource.readSecret($0) })
  }

  private static var unixSeconds: Int64 { Int64(Date().timeIntervalSince1970) }

  /// Asks those whose list is no longer current. One that does not answer keeps its list, whose prices are stale then.
  ///
  /// - Returns: what has changed, one line each.
  mutating func renew(_ file: RoutesFile) -> [String] {
    mistakes = []
    let now = Self.unixSeconds
    var changes: [String] = []
    for target in Self.targets(of: file) where target.discovers {
      let name = target.provider.name
      guard dueAt[name].map({ $0 <= now }) ?? true else { continue }
      let earlier = models[name]
      ask(target)
      guard let newest = models[name] else { continue }
      guard let earlier else {
        changes.append("\(name) answers now and lists \(newest.count) models")
        continue
      }
      // A list that broke off says nothing of what it does not hold.
      if mistakes.contains(where: { $0.contains("breaks off") }) { continue }
      changes += ProviderListChange.between(old: earlier, new: newest).map { "\(name): \($0)" }
    }
    return changes
  }

  /// Whether another table would come of it.
  func differs(from earlier: ProviderLists) -> Bool { models != earlier.models || unreachable != earlier.unreachable }

  private mutating func ask(_ target: DiscoveryTarget) {
    guard let settings = target.discovery else { return }
    let name = target.provider.name
    let now = Self.unixSeconds
    let interval = max(settings.interval.components.seconds, 1)
    dueAt[name] = now + interval
    var listed: [DiscoveredModel] = []
    var hasAnswered = false
    for url in Self.addresses(of: target.provider, settings) {
      guard let body = Self.fetch(url, from: target.provider) else { continue }
      hasAnswered = true
      // A price is stale only once its list should have been read again and was not.
      let reading = ProviderList.read(body, format: settings.format, now: now, timeToLive: 2 * interval)
      listed += reading.models
      mistakes += reading.mistakes.map { "the list of \(name): \($0)" }
    }
    if hasAnswered {
      models[name] = listed
      unreachable.remove(name)
    } else if models[name] == nil, target.isOptional {
      unreachable.insert(name)
    } else if models[name] != nil {
      mistakes.append("\(name) did not send its list; what it said before is still used")
    }
  }

  /// Where the list is: one address, or one for each model that is asked for by name.
  private static func addresses(of provider: Provider, _ settings: DiscoverySettings) -> [String] {
    guard settings.format == .endpoints else { return [provider.modelsURL] }
    return settings.models.map { model in
      let path = model.split(separator: "/").map { part in
        part.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~")))
          ?? ""
      }
      return "\(provider.modelsURL)/\(path.joined(separator: "/"))/endpoints"
    }
  }

  private static func fetch(_ url: String, from provider: Provider) -> [UInt8]? {
    var fields = provider.headers.map { "\($0.name): \($0.value)" }
    if let key = provider.credentials.first { fields.append("Authorization: Bearer \(key.reveal())") }
    // A local engine answers at once or is not there.
    let limit = provider.isLiteralAddress ? 1000 : 5000
    let answer = UpstreamProbe.send(url, fields: fields, caFile: provider.caFile, milliseconds: limit)
    return answer?.status == 200 ? answer?.body : nil
  }
}
