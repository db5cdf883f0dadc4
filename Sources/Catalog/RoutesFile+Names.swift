extension RoutesFile {
  /// The names of all providers in the file, in its order.
  public var providerNames: [String] { providers.map(\.name.value) }
}
