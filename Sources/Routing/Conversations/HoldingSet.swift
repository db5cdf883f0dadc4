/// The endpoints that hold something of one conversation, or of one shared prefix: 1 to 8. The usual one needs no memory
/// beside the set itself.
struct HoldingSet {
  static let limit = 8

  private var first: Holding
  private var rest: [Holding] = []

  init(_ holding: Holding) {
    first = holding
  }

  var count: Int { rest.count + 1 }

  subscript(place: Int) -> Holding {
    get { place == 0 ? first : rest[place - 1] }
    set { if place == 0 { first = newValue } else { rest[place - 1] = newValue } }
  }

  func place(of endpoint: UInt64) -> Int? {
    if first.endpoint == endpoint { return 0 }
    return rest.firstIndex { $0.endpoint == endpoint }.map { $0 + 1 }
  }

  /// The place of `endpoint`, which is put in when it is not there: in a full set instead of the one that was used
  /// longest ago, of those that made no signatures if there is such a one.
  mutating func add(_ endpoint: UInt64, now: UInt64) -> Int {
    if let place = place(of: endpoint) { return place }
    let holding = Holding(endpoint: endpoint, usedAt: now)
    if count < Self.limit {
      rest.append(holding)
      return count - 1
    }
    var oldest = 0
    for place in 1..<count {
      let (one, other) = (self[place], self[oldest])
      if one.madeSignatures != other.madeSignatures ? other.madeSignatures : one.usedAt < other.usedAt {
        oldest = place
      }
    }
    self[oldest] = holding
    return oldest
  }

  /// - Returns: `nil` when nothing is left.
  func removing(at place: Int) -> HoldingSet? {
    var left = self
    if place > 0 {
      left.rest.remove(at: place - 1)
      return left
    }
    guard let next = left.rest.popLast() else { return nil }
    left.first = next
    return left
  }
}
