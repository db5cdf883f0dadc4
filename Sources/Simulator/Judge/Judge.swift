import FoundationEssentials

/// Runs routers against one another in the same simulated worlds: no sockets, no sleeping, a clock of its own. The same
/// traces and seeds give the same verdict, bit for bit.
public enum Judge {
  /// The seeds that constants are tuned on, and those that are reported.
  public static let tuningSeeds = 1...20
  public static let reportedSeeds = 21...40

  /// - Parameters:
  ///   - seeds: each trace is run once with each.
  ///   - choosers: names of those that take part; `nil` is all of them.
  ///   - progress: called behind each trace with its name.
  public static func run(
    traces: [JudgeTrace], seeds: ClosedRange<Int>, choosers names: [String]? = nil,
    progress: (String) -> Void = { _ in }
  ) throws -> JudgeVerdict {
    var verdict = JudgeVerdict(seeds: seeds, traces: [])
    for trace in traces {
      var rows: [JudgeVerdict.Row] = []
      var oracle = Tally()
      var tallies: [(name: String, tally: Tally)] = []
      for seed in seeds {
        let world = JudgedWorld(trace, seed: UInt64(seed))
        let best = Oracle.score(in: world)
        oracle.add(best, oracle: best, seed: seed)
        for (place, chooser) in try Self.choosers(seed: UInt64(seed), names).enumerated() {
          if tallies.count <= place { tallies.append((chooser.name, Tally())) }
          tallies[place].tally.add(JudgedRun.score(chooser, in: world), oracle: best, seed: seed)
        }
      }
      rows.append(JudgeVerdict.Row("oracle", oracle))
      rows += tallies.map { JudgeVerdict.Row($0.name, $0.tally) }
      verdict.traces.append(JudgeVerdict.Trace(name: trace.name, about: trace.about, rows: rows))
      progress(trace.name)
    }
    return verdict
  }

  /// All that take part, new.
  static func choosers(seed: UInt64, _ names: [String]?) throws -> [any Chooser] {
    var choosers: [any Chooser] = []
    for policy in ["price", "default", "balanced", "latency", "throughput", "least_busy"] {
      let name = "pointsman \(policy)"
      guard names?.contains(name) ?? true else { continue }
      choosers.append(try PointsmanChooser(name, policy: policy, seed: seed))
    }
    choosers.append(OpenRouterChooser("openrouter default", .balanced, seed: seed))
    choosers.append(OpenRouterChooser("openrouter sort:price", .price, seed: seed))
    choosers.append(LiteLLMChooser("litellm cost", .cost, seed: seed))
    choosers.append(LiteLLMChooser("litellm latency", .latency, seed: seed))
    choosers.append(LiteLLMChooser("litellm usage", .usage, seed: seed))
    return choosers.filter { names?.contains($0.name) ?? true }
  }

  /// The traces in a folder, by the names of their files, which end in `.json`.
  public static func traces(in folder: String) throws -> [JudgeTrace] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }.sorted()
    if names.isEmpty { throw JudgeError(description: "there is no trace (*.json) in \(folder)") }
    return try names.map { name in
      guard let json = FileManager.default.contents(atPath: "\(folder)/\(name)") else {
        throw JudgeError(description: "\(folder)/\(name) cannot be read")
      }
      do {
        return try JudgeTrace(json: json)
      } catch let error as DecodingError {
        throw JudgeError(description: "\(folder)/\(name): \(error)")
      }
    }
  }
}

/// What one chooser came to over the seeds of a trace.
struct Tally {
  var sums = JudgedSums()
  private(set) var worst: (seed: Int, ratio: Double, success: Double)?

  mutating func add(_ score: JudgedScore, oracle: JudgedScore, seed: Int) {
    var one = JudgedSums()
    one.add(score, oracle: oracle)
    sums.add(one)
    if worst.map({ one.costRatio > $0.ratio }) ?? true { worst = (seed, one.costRatio, one.success) }
  }
}
