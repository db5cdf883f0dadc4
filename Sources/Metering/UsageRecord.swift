/// One attempt, whole: what was known at its start and how it ended.
public struct UsageRecord: Sendable, Equatable {
  public var opened: AttemptOpened
  public var settled: AttemptSettled

  public init(opened: AttemptOpened, settled: AttemptSettled) {
    self.opened = opened
    self.settled = settled
  }
}
