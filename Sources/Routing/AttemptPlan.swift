/// The ordered tries for one completion: places in `RouteTable.endpoints`, the first pick in front, no place twice.
public struct AttemptPlan: Sendable, Equatable {
  public var endpoints: [Int]

  public init(endpoints: [Int]) {
    self.endpoints = endpoints
  }
}
