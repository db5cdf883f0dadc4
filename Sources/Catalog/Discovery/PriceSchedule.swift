/// The prices of one model as a list states them: for each kind of token one for every condition. It becomes a price
/// and its overrides; where they cannot say what the list says, the dearest that may be meant.
struct PriceSchedule {
  enum Kind: CaseIterable {
    case input, cachedInput, cacheWrite, output
  }

  /// One price with the changes that apply to it in order, the last that holds.
  struct Entry {
    var kind: Kind
    var window: PriceOverride.Window?
    var cost: Int64
    var changes: [(condition: PriceCondition, cost: Int64)] = []

    /// The price for this many prompt tokens; where it is not certain, the dearest.
    func cost(promptTokens: Int64) -> Int64 {
      var most = cost
      for change in changes {
        switch change.condition.holds(promptTokens: promptTokens) {
        case .yes: most = change.cost
        case .maybe: most = max(most, change.cost)
        case .no: break
        }
      }
      return most
    }
  }

  /// Endpoints look at every override for every decision.
  static let mostOverrides = 32

  var entries: [Entry] = []
  /// Output costs at least this: what reasoning tokens cost, which are not told apart.
  var leastOutput: Int64 = 0

  /// The price without any condition, part by part, and what changes it.
  func resolved() -> (base: PriceOverride, overrides: [PriceOverride]) {
    var edges: Set<Int64> = []
    for entry in entries { for change in entry.changes { change.condition.collectEdges(into: &edges) } }
    var windows: [PriceOverride.Window] = []
    for case let window? in entries.map(\.window) where !windows.contains(window) {
      windows.append(window)
      if windows.count > Self.mostOverrides { return (dearest, []) }
    }
    guard (edges.count + 1) * (windows.count + 1) <= Self.mostOverrides else { return (dearest, []) }

    let steps = edges.sorted()
    var base = prices(in: nil, promptTokens: 0)
    var overrides = changes(from: base, in: nil, steps)
    // A kind with prices for hours alone has none for the others.
    for kind in Kind.allCases where base[kind] == nil { base[kind] = dearest[kind] }
    for window in windows {
      var first = prices(in: window, promptTokens: 0)
      first.window = window
      overrides.append(first)
      overrides += changes(from: first, in: window, steps)
    }
    return (base, overrides)
  }

  /// The most that each kind may cost at all.
  private var dearest: PriceOverride {
    var dearest = PriceOverride()
    for entry in entries {
      let most = entry.changes.reduce(entry.cost) { max($0, $1.cost) }
      dearest[entry.kind] = max(dearest[entry.kind] ?? 0, entry.kind == .output ? max(most, leastOutput) : most)
    }
    return dearest
  }

  private func prices(in window: PriceOverride.Window?, promptTokens: Int64) -> PriceOverride {
    var prices = PriceOverride()
    for entry in entries where entry.window == window {
      let cost = entry.cost(promptTokens: promptTokens)
      prices[entry.kind] = max(prices[entry.kind] ?? 0, entry.kind == .output ? max(cost, leastOutput) : cost)
    }
    return prices
  }

  /// What differs behind each step from what was before it.
  private func changes(from first: PriceOverride, in window: PriceOverride.Window?, _ steps: [Int64])
    -> [PriceOverride]
  {
    var changes: [PriceOverride] = []
    var last = first
    for step in steps {
      let now = prices(in: window, promptTokens: step + 1)
      var change = PriceOverride()
      for kind in Kind.allCases where now[kind] != last[kind] { change[kind] = now[kind] }
      last = now
      if change == PriceOverride() { continue }
      change.minPromptTokens = step
      change.window = window
      changes.append(change)
    }
    return changes
  }
}

extension PriceOverride {
  subscript(kind: PriceSchedule.Kind) -> Int64? {
    get {
      switch kind {
      case .input: input
      case .cachedInput: cachedInput
      case .cacheWrite: cacheWrite
      case .output: output
      }
    }
    set {
      switch kind {
      case .input: input = newValue
      case .cachedInput: cachedInput = newValue
      case .cacheWrite: cacheWrite = newValue
      case .output: output = newValue
      }
    }
  }
}
