/// One value for `/metrics` that does not come from the ledger's records.
public struct Sample: Sendable {
  public enum Kind: String, Sendable { case counter, gauge }

  /// The metric's name in Prometheus' alphabet.
  public var name: String
  public var help: String
  public var kind: Kind
  /// Names in Prometheus' alphabet, any values.
  public var labels: [(name: String, value: String)]
  public var value: Double

  public init(name: String, help: String, kind: Kind, labels: [(name: String, value: String)] = [], value: Double) {
    self.name = name
    self.help = help
    self.kind = kind
    self.labels = labels
    self.value = value
  }
}
