import FoundationEssentials

/// What the judge lets happen: a fleet, agents and events, described by ranges from which a seed draws. Kept as a small
/// JSON file; the same trace and seed always make the same world.
///
/// Where the type is `Draw`, the file has a number or `[least, most]`. Times are seconds, prices USD per million tokens.
public struct JudgeTrace: Decodable, Sendable {
  public var name: String
  /// What it is about, in a sentence.
  public var about: String
  /// Seconds after which nothing more happens to the fleet.
  var length: Double
  /// Every how many seconds routers read the providers' lists: that is when they hear of a price or an endpoint.
  var listEvery: Double
  var fleet: [Provider]
  var events: [Event]?
  var agents: [AgentGroup]

  /// Endpoints of one kind.
  struct Provider: Decodable, Sendable {
    var name: String
    /// How many of them; each draws for itself.
    var count: Int?
    var input: Draw
    /// Without it the provider has no prompt cache.
    var cached: Draw?
    var output: Draw
    /// To the first token, of an answer to a short prompt.
    var firstToken: Draw
    var tokensPerSecond: Draw
    /// Prompt tokens a second that are read before the first token comes.
    var prefill: Double?
    /// Requests at once; the next one gets a 429.
    var concurrency: Int
    /// Requests a minute, as a bucket that holds a tenth of a minute's; the next one gets a 429.
    var perMinute: Double?
    var cacheLife: Double?
    /// Prompt tokens that its cache holds; what was used longest ago leaves.
    var cacheTokens: Int?
    /// Whether an answer is in the cache too when it comes back as part of the next prompt.
    var keepsAnswers: Bool?
    /// Share of the requests that fail before content at any time.
    var failures: Double?
    /// Mean life of its node; at the end of it running answers break off and the cache is gone.
    var nodeLife: Double?
    /// Seconds until another node has taken its place.
    var absence: Draw?
    /// When it comes into being.
    var appears: Draw?
  }

  /// Something that happens to the endpoints of one kind, to each at its own time.
  struct Event: Decodable, Sendable {
    enum Kind: String, Decodable, Sendable {
      /// Its price is multiplied by `times`.
      case price
      /// A share `fails` of its requests fails before content.
      case outage
    }

    var kind: Kind
    /// The name of a provider of the fleet.
    var of: String
    /// When it first happens.
    var at: Draw
    /// How long it lasts; to the end when missing.
    var lasts: Draw?
    /// From its end to its next beginning; when missing it happens once.
    var again: Draw?
    var times: Draw?
    var fails: Draw?
    /// Seconds until a failure is seen.
    var failsAfter: Double?
  }

  /// Agents that do the same kind of work; each has one conversation.
  struct AgentGroup: Decodable, Sendable {
    var count: Int
    var arrive: Draw
    var turns: Draw
    /// Tokens of the system prompt, which all of the group share.
    var system: Int
    /// Tokens that each turn adds to the prompt beside the last answer.
    var text: Draw
    var answer: Draw
    /// From an answer's end to the next turn.
    var think: Draw
    var bytesPerToken: Draw?
  }

  /// A number, or a range from which one is drawn evenly.
  struct Draw: Decodable, Sendable {
    var least: Double
    var most: Double

    init(_ least: Double, _ most: Double) {
      self.least = least
      self.most = most
    }

    init(from decoder: any Decoder) throws {
      if let value = try? decoder.singleValueContainer().decode(Double.self) {
        self.init(value, value)
        return
      }
      let pair = try decoder.singleValueContainer().decode([Double].self)
      guard pair.count == 2, pair[0] <= pair[1] else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "a range is [least, most]"))
      }
      self.init(pair[0], pair[1])
    }

    func drawn(_ random: inout JudgeRandom) -> Double { least + (most - least) * random.unit() }
  }
}

extension JudgeTrace {
  /// Reads a trace and looks for what would make no world.
  public init(json: Data) throws {
    self = try JSONDecoder().decode(JudgeTrace.self, from: json)
    let names = Set(fleet.map(\.name))
    func demand(_ holds: Bool, _ text: String) throws {
      if !holds { throw JudgeError(description: "trace \(name): \(text)") }
    }
    try demand(!fleet.isEmpty && !agents.isEmpty, "it needs a fleet and agents")
    try demand(names.count == fleet.count, "two providers have the same name")
    try demand(length > 0 && length <= 86_400, "length is from 0 to 86400 seconds")
    try demand((1...3_600).contains(listEvery), "listEvery is from 1 to 3600 seconds")
    for provider in fleet {
      try demand((1...64).contains(provider.count ?? 1), "\(provider.name): count is from 1 to 64")
      try demand((1...100_000).contains(provider.concurrency), "\(provider.name): concurrency is from 1 to 100000")
      let prices = [provider.input, provider.cached ?? provider.input, provider.output]
      try demand(
        prices.allSatisfy { $0.least > 0 && $0.most <= 10_000 },
        "\(provider.name): prices are above 0 and at most 10000")
      try demand(
        provider.firstToken.least > 0 && provider.tokensPerSecond.least >= 1 && (provider.prefill ?? 1) >= 1,
        "\(provider.name): speeds must be above 0")
      try demand((provider.perMinute ?? 1) > 0, "\(provider.name): perMinute is above 0")
      try demand((provider.nodeLife ?? 60) >= 60, "\(provider.name): nodeLife is at least 60 seconds")
    }
    for event in events ?? [] {
      try demand(names.contains(event.of), "an event is of \(event.of), which is not in the fleet")
      try demand(event.again == nil || event.lasts != nil, "an event that happens again must say how long it lasts")
      try demand(
        (event.lasts?.least ?? 1) + (event.again?.least ?? 0) >= 1, "an event's period is at least a second")
    }
    for group in agents {
      try demand((1...10_000).contains(group.count), "an agents' count is from 1 to 10000")
      try demand(group.turns.least >= 1 && group.turns.most <= 200, "turns are from 1 to 200")
      let tokens = [group.text, group.answer]
      try demand(
        (0...1_000_000).contains(group.system) && tokens.allSatisfy { $0.least >= 1 && $0.most <= 100_000 },
        "text and answer are from 1 to 100000 tokens, system at most 1000000")
      try demand(group.arrive.least >= 0 && group.think.least >= 0, "times are not negative")
    }
  }
}

/// What is wrong with a trace.
public struct JudgeError: Error, CustomStringConvertible {
  public var description: String
}
