/// A set of choice indexes. Indexes below 128 need no memory of their own.
public struct ChoiceSet: Sendable, Equatable {
  /// Indexes from this on do not exist.
  public static let limit = 4096

  private var first: UInt128 = 0
  /// The indexes from 128 on, 64 a word, without empty words at the end.
  private var rest: [UInt64] = []

  public init() {}

  public var isEmpty: Bool { first == 0 && rest.isEmpty }

  public var count: Int { rest.reduce(first.nonzeroBitCount) { $0 + $1.nonzeroBitCount } }

  public func contains(_ index: Int) -> Bool {
    guard index >= 128 else { return index >= 0 && first >> index & 1 == 1 }
    let word = (index - 128) / 64
    return word < rest.count && rest[word] >> (index % 64) & 1 == 1
  }

  /// Adds an index; one that is negative or not below ``limit`` is ignored.
  public mutating func insert(_ index: Int) {
    guard index >= 0, index < Self.limit else { return }
    guard index >= 128 else {
      first |= 1 << index
      return
    }
    let word = (index - 128) / 64
    while rest.count <= word { rest.append(0) }
    rest[word] |= 1 << (index % 64)
  }

  public mutating func formUnion(_ other: ChoiceSet) {
    first |= other.first
    guard !other.rest.isEmpty else { return }
    while rest.count < other.rest.count { rest.append(0) }
    for word in other.rest.indices { rest[word] |= other.rest[word] }
  }

  /// Whether every index below `count` is in the set.
  public func containsAll(below count: Int) -> Bool {
    if count <= 0 { return true }
    if count <= 128 { return ~first & (UInt128.max >> (128 - count)) == 0 }
    return first == .max && (128..<count).allSatisfy(contains)
  }

  /// The indexes below `count` that are not in the set, in order.
  public func missing(below count: Int) -> [Int] { (0..<max(0, count)).filter { !contains($0) } }
}
