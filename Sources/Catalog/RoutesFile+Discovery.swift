/// A provider to be asked before a table is compiled: whether it answers, and which models it has.
public struct DiscoveryTarget: Sendable {
  /// How to reach it: `GET provider.modelsURL`. Its `index` belongs to no table.
  public let provider: Provider
  /// When it does not answer it belongs into `CompileInputs.unreachableOptional`.
  public let isOptional: Bool
  /// How its list is to be read; what it holds belongs into `CompileInputs.discovered`. `nil`: not at all.
  public let discovery: DiscoverySettings?

  public var discovers: Bool { discovery != nil }
}

extension RoutesFile {
  /// The built-in simulated providers that the file asks for, in its order.
  public var simulatedProviders: [(name: String, simulation: Simulation)] {
    providers.compactMap { entry in entry.simulation.map { (entry.name.value, $0) } }
  }

  /// The real providers that are optional or discovered, without those whose key is missing.
  public func discoveryTargets(
    environment: [String: String], readSecret: @escaping @Sendable (_ path: String) throws -> String
  ) -> [DiscoveryTarget] {
    let resolver = ProviderResolver(environment: environment, readSecret: readSecret, simulatorBaseURL: nil)
    // Mistakes are for `compile` to report.
    var mistakes = MistakeList(file: name)
    var targets: [DiscoveryTarget] = []
    for entry in providers where entry.simulation == nil && (entry.isOptional || entry.discovers) {
      guard case .usable(let provider) = resolver.resolve(entry, index: targets.count, mistakes: &mistakes) else {
        continue
      }
      targets.append(DiscoveryTarget(provider: provider, isOptional: entry.isOptional, discovery: entry.discovery))
    }
    return targets
  }
}
