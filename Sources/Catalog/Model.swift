/// A model by the name that clients and routes use for it.
public struct Model: Sendable {
  /// The place in `RouteTable.models`.
  public let index: Int
  public let name: String
  /// `name` as a JSON string, quotes included.
  public let nameJSON: [UInt8]
  /// Places in `RouteTable.endpoints`, in the order of the file; at least one.
  public let endpoints: [Int]
  /// Seconds since 1970, 0 when it is not known.
  public let created: Int64
  /// Whether its author allows distillation; `nil` when undeclared.
  public let isDistillable: Bool?
  /// The admin's score of the model, from 0 to 1.
  public let quality: Double?
}
