import Catalog
import Metering
import Routing

/// Decides what follows an attempt's failure, or an endpoint that cannot be asked just now. A value that takes events and
/// returns an action; it never acts, and time and chance are passed in.
///
/// Until content has gone to the client any candidate may take over. After it only an endpoint of the same model that
/// knows how may carry on, where the route allows it; else the stream ends in an error.
struct RelayStateMachine: ~Copyable {
  /// One attempt to be made.
  struct Step: Equatable {
    /// The place in `RouteTable.endpoints`.
    var place: Int
    var reason: AttemptReason
    /// Nanoseconds to wait before it.
    var delay: UInt64 = 0
    var needsFreshConnection = false
    /// An open breaker and a retired key do not keep it away.
    var isForced = false
    var charge = Charge.free
    var tries = Tries()
  }

  /// What a step costs of the route's retry budget.
  enum Charge: Equatable {
    case free
    /// Nothing if its endpoint is in no outage: that is a fallback which nobody has to be protected from.
    case unlessSound
    case always
  }

  /// What was tried at one endpoint already.
  struct Tries: Equatable {
    var again = false
    var fresh = false
    /// A bit for each key.
    var keys: UInt64 = 0
  }

  enum Action: Equatable {
    case attempt(Step)
    /// Another attempt of the completion is under way, and goes on.
    case goOn
    /// Tell the client.
    case giveUp(RouterError)
  }

  /// Why a step was not taken.
  enum Refusal: Equatable {
    /// Its provider's name has no address.
    case noAddress
    /// Its breaker, or its provider's, is open, or its one probe is under way.
    case breaker
    /// Every key is limited there for so many nanoseconds.
    case limited(UInt64)
    /// Every key is retired.
    case noKey
    /// The route has no retry left.
    case noBudget
    /// The cut answer cannot be carried on there.
    case noContinuation
  }

  /// What is known of an attempt that failed, beside the failure itself.
  struct Circumstances {
    /// Nanoseconds from its start to its failure.
    var elapsed: UInt64 = 0
    /// A re-used connection, idle before, ended without a response byte.
    var connectionWasStale = false
    /// The provider has another key that could be used now.
    var hasOtherKey = false
    /// Nanoseconds that the provider asked to be left alone for.
    var wait: UInt64?
    /// Nanoseconds that it is left alone for after a 429, asked or not.
    var floor: UInt64 = 0
    /// Another attempt of the completion is under way.
    var hasRival = false
    /// What was delivered could be carried on.
    var mayResume = false
    /// Nanoseconds, drawn evenly up to `longestJitter`.
    var jitter: UInt64 = 0
  }

  /// A failure later than this is not tried again at the same endpoint: the client has waited long enough.
  static let fastFailure: UInt64 = 2_000_000_000
  /// A wait up to this is worth it: the endpoint keeps its prompt cache and its price.
  static let longestWait: UInt64 = 2_000_000_000
  static let longestJitter: UInt64 = 200_000_000
  private static let resumeLimit = 8

  private let table: RouteTable
  private let plan: AttemptPlan
  private let promptTokens: Int64
  /// How far the plan has been gone through.
  private var cursor = 0
  private var attempts = 0
  /// Endpoints that were out when it was their turn: they are tried when nothing else is left.
  private var passed: [Int] = []
  private var shortestLimit: (place: Int, nanoseconds: UInt64)?
  private var hasWaited = false
  /// Only endpoints whose context is declared larger than this may still serve.
  private var contextFloor: Int?
  private(set) var failures: [FailedAttempt] = []
  /// Where the last content that the client got came from; `nil` before it got any.
  private var cutPlace: Int?
  private var resumed: [Int] = []
  private var resumedAtCut = false

  /// - Parameter promptTokens: of the request, as far as they are known.
  init(plan: AttemptPlan, table: RouteTable, promptTokens: Int64) {
    self.plan = plan
    self.table = table
    self.promptTokens = promptTokens
  }

  /// Content of the endpoint at this place went to the client: from now on there is no way back.
  mutating func contentReachedClient(from place: Int) { cutPlace = place }

  var hasDeliveredContent: Bool { cutPlace != nil }

  /// The step was taken: its attempt is recorded and sent.
  mutating func attemptStarted() { attempts += 1 }

  // MARK: - The plan

  /// The first attempt.
  mutating func start() -> Action { next() }

  /// A step could not be taken.
  ///
  /// - Parameter jitter: nanoseconds, drawn evenly up to `longestJitter`.
  mutating func refused(_ step: Step, _ refusal: Refusal, jitter: UInt64) -> Action {
    switch refusal {
    case .noAddress:
      // Nothing was sent, so there is no attempt to record; the client is told of it all the same.
      failures.append(
        FailedAttempt(
          place: step.place, provider: table.providers[table.endpoints[step.place].provider].displayName,
          failure: .connect, message: "its name has no address"))
    case .breaker, .noKey:
      let wasTried = failures.contains { $0.place == step.place }
      if !step.isForced, !wasTried, !hasDeliveredContent { passed.append(step.place) }
    case .limited(let nanoseconds):
      if shortestLimit.map({ nanoseconds < $0.nanoseconds }) ?? true { shortestLimit = (step.place, nanoseconds) }
    case .noBudget, .noContinuation: break
    }
    return hasDeliveredContent ? nextResume(jitter: jitter) : next(jitter: jitter)
  }

  private mutating func next(jitter: UInt64 = 0) -> Action {
    let isFirst = attempts == 0
    while cursor < plan.endpoints.count {
      let place = plan.endpoints[cursor]
      cursor += 1
      guard fits(place) else { continue }
      return .attempt(
        Step(place: place, reason: isFirst ? .first : .fallback, charge: isFirst ? .free : .unlessSound))
    }
    if !passed.isEmpty {
      // The last candidate is never ejected.
      return .attempt(
        Step(
          place: passed.removeFirst(), reason: isFirst ? .first : .fallback, isForced: true,
          charge: isFirst ? .free : .always))
    }
    if let limit = shortestLimit, !hasWaited, limit.nanoseconds <= Self.longestWait {
      hasWaited = true
      shortestLimit = nil
      return .attempt(
        Step(
          place: limit.place, reason: isFirst ? .first : .retry, delay: limit.nanoseconds &+ jitter,
          charge: isFirst ? .free : .always))
    }
    return .giveUp(finalError())
  }

  /// Whether an endpoint may still serve: after "too long for the context" only one with more room.
  private func fits(_ place: Int) -> Bool {
    guard let contextFloor else { return true }
    return (table.endpoints[place].context ?? 0) > contextFloor
  }

  // MARK: - Hedging

  /// The endpoint that a second attempt would go to: the plan's next, if it has the same model.
  func hedgePlace(beside place: Int) -> Int? {
    guard !hasDeliveredContent, cursor < plan.endpoints.count else { return nil }
    let next = plan.endpoints[cursor]
    return table.endpoints[next].model == table.endpoints[place].model && fits(next) ? next : nil
  }

  /// Takes it out of the plan.
  mutating func hedge(beside place: Int) -> Step? {
    guard let next = hedgePlace(beside: place) else { return nil }
    cursor += 1
    return Step(place: next, reason: .hedge)
  }

  // MARK: - Failures

  /// An attempt failed.
  mutating func attemptFailed(_ step: Step, _ failure: FailedAttempt, _ circumstances: Circumstances) -> Action {
    failures.append(failure)
    if circumstances.hasRival { return .goOn }
    let isStale = circumstances.connectionWasStale && !step.tries.fresh
    if isStale {
      var step = step
      step.reason = .staleConnection
      step.delay = 0
      step.needsFreshConnection = true
      step.isForced = true
      step.charge = .free
      step.tries.fresh = true
      step.tries.keys = 0
      return .attempt(step)
    }
    if hasDeliveredContent {
      guard circumstances.mayResume else { return .giveUp(brokenStream()) }
      return nextResume(jitter: circumstances.jitter)
    }
    // It was asked although it was out: what is left of the budget is better spent elsewhere.
    let wasOut = step.isForced && step.reason != .staleConnection
    let asked = circumstances.wait ?? 0
    let mayTryAgain = circumstances.elapsed < Self.fastFailure && asked <= Self.longestWait && !step.tries.again
    switch Remedy(failure) {
    case .tell:
      return .giveUp(
        RouterError(
          .rejectedByProvider(status: failure.status ?? 400), source: .client, isRetryable: false,
          message: "\(failure.provider) refused the request: \(failure.message)", attempts: failures))
    case .larger:
      contextFloor = max(contextFloor ?? 0, table.endpoints[step.place].context ?? Int(clamping: promptTokens))
      passed = passed.filter { fits($0) }
      return next(jitter: circumstances.jitter)
    case .otherKey where circumstances.hasOtherKey && step.reason != .retry:
      var step = step
      step.reason = .otherKey
      step.delay = 0
      step.charge = .free
      return .attempt(step)
    case .otherKey:
      guard failure.failure == .rateLimited else { return next(jitter: circumstances.jitter) }
      return afterRateLimit(step, circumstances)
    case .again where mayTryAgain && !wasOut:
      var step = step
      step.reason = .retry
      step.delay = max(circumstances.jitter, asked)
      step.needsFreshConnection = failure.failure == .truncated
      step.isForced = true
      step.charge = .always
      step.tries.again = true
      step.tries.keys = 0
      return .attempt(step)
    case .again, .next:
      return next(jitter: circumstances.jitter)
    }
  }

  /// What it asked for is a floor. A short wait is worth it, once; a long one belongs to the next candidate.
  private mutating func afterRateLimit(_ step: Step, _ circumstances: Circumstances) -> Action {
    if let wait = circumstances.wait, wait <= Self.longestWait, !hasWaited {
      hasWaited = true
      var step = step
      step.reason = .retry
      step.delay = max(wait, 1) &+ circumstances.jitter
      step.charge = .always
      step.tries.keys = 0
      return .attempt(step)
    }
    let floor = circumstances.floor
    if shortestLimit.map({ floor < $0.nanoseconds }) ?? true { shortestLimit = (step.place, floor) }
    return next(jitter: circumstances.jitter)
  }

  /// What may help after a failure before content.
  private enum Remedy {
    /// The same endpoint once more, then the next: it may pass.
    case again
    /// The same endpoint by another key, then the next.
    case otherKey
    case next
    /// One with more context.
    case larger
    /// Nobody: the request is at fault.
    case tell

    init(_ failure: FailedAttempt) {
      self =
        switch failure.failure {
        case .badRequest, .contentFilter: .tell
        case .contextLength: .larger
        case .rateLimited, .providerAuth, .providerSpent: .otherKey
        // 529 speaks for the whole provider.
        case .overloaded: failure.status == 529 ? .next : .again
        case .serverError, .emptyCompletion, .truncated: .again
        default: .next
        }
    }
  }

  // MARK: - What the client is told of it

  /// `Retry-After` when endpoints are limited: whole seconds, rounded up; `nil` when none is.
  var limitToTell: String? {
    if let limit = shortestLimit { return "\(max((limit.nanoseconds &+ 999_999_999) / 1_000_000_000, 1))" }
    let waits = failures.filter { $0.failure == .rateLimited }
    if waits.isEmpty { return nil }
    return Self.shortest(waits.compactMap(\.retryAfter)) ?? "1"
  }

  // MARK: - Resuming

  /// Who carries on: the plan's endpoints of the same model that have not failed, then the one that broke off, once.
  private mutating func nextResume(jitter: UInt64) -> Action {
    guard let cutPlace, resumed.count < Self.resumeLimit else { return .giveUp(brokenStream()) }
    if let place = unaskedResume(after: cutPlace) {
      resumed.append(place)
      return .attempt(Step(place: place, reason: .resume, charge: .unlessSound))
    }
    let wasSilent = failures.last { $0.place == cutPlace }?.failure == .stalled
    if !resumedAtCut, !wasSilent, carriesOn(cutPlace, after: cutPlace) {
      resumedAtCut = true
      return .attempt(
        Step(place: cutPlace, reason: .resume, delay: jitter, needsFreshConnection: true, charge: .always))
    }
    return .giveUp(brokenStream())
  }

  /// Whether an endpoint could be asked to carry on that was not asked yet.
  var hasUnaskedResume: Bool { cutPlace.map { unaskedResume(after: $0) != nil } ?? false }

  private func unaskedResume(after cut: Int) -> Int? {
    plan.endpoints.first { place in
      carriesOn(place, after: cut) && !resumed.contains(place) && !failures.contains { $0.place == place }
    }
  }

  private func carriesOn(_ place: Int, after cut: Int) -> Bool {
    let endpoint = table.endpoints[place]
    return endpoint.model == table.endpoints[cut].model && endpoint.traits.continuation != nil
  }
}
