/// Percentiles of what was observed. For the time to the first token a higher one is slower; for throughput "90 % of the
/// requests achieve at least p90", so a higher one is slower too (OpenRouter's direction).
public struct Percentiles: Sendable, Equatable {
  public var p50: Double
  public var p75: Double
  public var p90: Double
  public var p99: Double

  public init(p50: Double, p75: Double, p90: Double, p99: Double) {
    self.p50 = p50
    self.p75 = p75
    self.p90 = p90
    self.p99 = p99
  }
}

/// What the decision needs of one endpoint: always a number, drawn towards a prior while samples are few.
public struct EndpointEstimate: Sendable, Equatable {
  /// Seconds to the first token, median.
  public var firstToken = 1.0
  /// Output tokens per second, median.
  public var throughput = 40.0
  /// Probability that an attempt fails before content.
  public var failureRate = 0.02
  /// Probability that one breaks off after content.
  public var interruptionRate = 0.005
  /// Which share of the tokens that should be in the cache the provider reports as cached; 0 to 1.
  public var cacheYield = 0.9
  /// It is behind its peers in quality or throughput by median and MAD; `lag` of the report says how.
  public var isLagging = false
  /// It fails far more often than its peers at the moment; `outlier` of the report says how.
  public var isOutlier = false
  /// Monotonic nanoseconds of the newest observation; 0 when there is none.
  public var lastHeard: UInt64 = 0
  /// Seconds that a node of its class lives on average; `nil` when nothing is known.
  public var nodeLife: Double?
  /// How many observations of the last five minutes are in this.
  public var samples = 0

  public init() {}
}

/// What people are shown of one endpoint: what was really seen, `nil` where nothing was.
public struct EndpointReport: Sendable, Equatable {
  public struct Window: Sendable, Equatable {
    public var requests = 0
    public var failures = 0
    public var interruptions = 0
    public var rateLimited = 0
    /// Seconds to the first token.
    public var firstToken: Percentiles?
    /// Output tokens per second over the whole attempt (queueing at the provider lowers it, as OpenRouter counts).
    public var throughput: Percentiles?
    /// Successful of all that were judged, 0 to 1.
    public var successRate: Double?

    public init() {}
  }

  public var lastFiveMinutes = Window()
  public var lastThirtyMinutes = Window()
  /// Share of answers with tool calls that had a bad one, of JSON answers that did not fit, of empty answers; with how
  /// many of each were seen in two hours.
  public var toolErrors: (rate: Double, of: Int)? = nil
  public var jsonErrors: (rate: Double, of: Int)? = nil
  public var emptyAnswers: (rate: Double, of: Int)? = nil
  /// Why it counts as lagging, in words; `nil` when it does not.
  public var lag: String?
  /// Why it counts as an outlier, in words; `nil` when it does not.
  public var outlier: String?

  public init() {}

  public static func == (a: EndpointReport, b: EndpointReport) -> Bool {
    a.lastFiveMinutes == b.lastFiveMinutes && a.lastThirtyMinutes == b.lastThirtyMinutes && a.lag == b.lag
      && a.outlier == b.outlier
      && a.toolErrors?.of == b.toolErrors?.of && a.toolErrors?.rate == b.toolErrors?.rate
      && a.jsonErrors?.of == b.jsonErrors?.of && a.jsonErrors?.rate == b.jsonErrors?.rate
      && a.emptyAnswers?.of == b.emptyAnswers?.of && a.emptyAnswers?.rate == b.emptyAnswers?.rate
  }
}

/// What is known of one route's traffic.
public struct RouteEstimate: Sendable, Equatable {
  /// Prompt tokens per byte of the request's body, media left out. The prior is that of English text.
  public var tokensPerByte = 0.25
  /// By which share the true count may differ from the estimate: 0.3 with no sample, less with many.
  public var spread = 0.3
  /// Output tokens of an answer, on average.
  public var outputTokens = 300.0
  /// Which share of the requests go on a conversation that was seen before; 0 to 1.
  public var continuation = 0.0
  /// How many answers are in this.
  public var samples = 0

  public init() {}
}

/// What is known of a table's endpoints and routes at one moment: immutable, made off the request path a few times a
/// second, read by every loop without a lock.
public final class Knowledge: Sendable {
  /// Parallel to `RouteTable.endpoints`.
  public let endpoints: [EndpointEstimate]
  /// Parallel to `RouteTable.endpoints`.
  public let reports: [EndpointReport]
  /// Parallel to `RouteTable.routes`.
  public let routes: [RouteEstimate]
  /// Parallel to `RouteTable.endpoints`; `nil` while samples are few.
  let firstTokens: [FirstTokenTimes?]

  public convenience init(endpoints: [EndpointEstimate], reports: [EndpointReport], routes: [RouteEstimate]) {
    self.init(endpoints: endpoints, reports: reports, routes: routes, firstTokens: [])
  }

  init(
    endpoints: [EndpointEstimate], reports: [EndpointReport], routes: [RouteEstimate], firstTokens: [FirstTokenTimes?]
  ) {
    self.endpoints = endpoints
    self.reports = reports
    self.routes = routes
    self.firstTokens = firstTokens
  }

  /// What is known of the endpoint at this place; the defaults for one that this was not made for.
  @inline(__always)
  func estimate(_ place: Int) -> EndpointEstimate {
    endpoints.indices.contains(place) ? endpoints[place] : EndpointEstimate()
  }
}
