import FoundationEssentials

/// The table that the judge makes.
public struct JudgeVerdict: Codable, Sendable, Equatable {
  public struct Trace: Codable, Sendable, Equatable {
    public var name: String
    public var about: String
    /// The oracle's first.
    public var rows: [Row]
  }

  public struct Row: Codable, Sendable, Equatable {
    public var chooser: String
    /// USD that providers billed.
    public var cost: Double
    /// Over what the oracle paid for the same turns.
    public var costRatio: Double
    /// Share of the turns that were answered without an error of the router. A turn whose answer broke off and that was
    /// answered when it was sent again counts: what that costs is in the cost.
    public var success: Double
    /// Share of the turns that the first request answered whole.
    public var unbroken: Double
    /// Share of the prompt tokens that were read from a cache, and that over the oracle's.
    public var cachedShare: Double
    public var cacheReached: Double
    /// Seconds from the beginning of a turn to the first token of its answer.
    public var firstTokenMedian: Double
    public var firstToken99: Double
    public var moves: Double
    /// The seed with the worst ratio of costs.
    public var worstSeed: Int
    public var worstRatio: Double

    init(_ name: String, _ tally: Tally) {
      let sums = tally.sums
      chooser = name
      cost = Double(sums.cost) / 1e12
      costRatio = sums.costRatio
      success = sums.success
      unbroken = sums.unbrokenShare
      cachedShare = sums.cachedShare
      cacheReached = sums.reachedCache
      firstTokenMedian = sums.firstToken(percentile: 0.5)
      firstToken99 = sums.firstToken(percentile: 0.99)
      moves = sums.movesPerConversation
      worstSeed = tally.worst?.seed ?? 0
      worstRatio = tally.worst?.ratio ?? 0
    }
  }

  public var firstSeed: Int
  public var lastSeed: Int
  public var traces: [Trace]

  init(seeds: ClosedRange<Int>, traces: [Trace]) {
    firstSeed = seeds.lowerBound
    lastSeed = seeds.upperBound
    self.traces = traces
  }

  public var json: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
      return try encoder.encode(self)
    }
  }

  public var text: String {
    var text = ""
    for trace in traces {
      text += "\(trace.name): \(trace.about)\nseeds \(firstSeed) to \(lastSeed)\n"
      let head = [
        "", "USD", "x oracle", "worst (seed)", "success %", "unbroken %", "cached %", "of reach %", "first p50 s",
        "p99 s", "moves",
      ]
      var lines = [head]
      for row in trace.rows {
        lines.append([
          row.chooser, Self.fixed(row.cost, 2), Self.fixed(row.costRatio, 3),
          "\(Self.fixed(row.worstRatio, 3)) (\(row.worstSeed))", Self.fixed(row.success * 100, 2),
          Self.fixed(row.unbroken * 100, 2), Self.fixed(row.cachedShare * 100, 1),
          Self.fixed(row.cacheReached * 100, 1), Self.fixed(row.firstTokenMedian, 2), Self.fixed(row.firstToken99, 2),
          Self.fixed(row.moves, 2),
        ])
      }
      let widths = head.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
      for line in lines {
        let cells = line.enumerated().map { column, cell in
          let padding = String(repeating: " ", count: widths[column] - cell.count)
          return column == 0 ? cell + padding : padding + cell
        }
        text += "  " + cells.joined(separator: "  ") + "\n"
      }
      text += "\n"
    }
    return text
  }

  /// With so many decimals, rounded.
  private static func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let whole = Int64(min(max((value * scale).rounded(), 0), 1e15))
    let digits = String(whole % Int64(scale))
    return decimals == 0
      ? "\(whole)"
      : "\(whole / Int64(scale))." + String(repeating: "0", count: decimals - digits.count) + digits
  }
}
