import Catalog

/// What was last worked out for one table, to be changed where something changed.
struct Picture: Sendable {
  let table: RouteTable
  var slot: Int
  /// For each endpoint the index of its history; -1 for none.
  private var historyPlaces: [Int32]
  private var endpoints: [EndpointEstimate]
  private var reports: [EndpointReport]
  private var firstTokens: [FirstTokenTimes?]
  private var routes: [RouteEstimate]
  /// For each model whether it must be worked out again; and those in a list.
  private var isMarked: [Bool]
  private var marked: [Int] = []
  private var made: Knowledge?

  /// With nothing known yet.
  init(_ table: RouteTable, slot: Int) {
    self.table = table
    self.slot = slot
    historyPlaces = Array(repeating: -1, count: table.endpoints.count)
    endpoints = table.endpoints.map { endpoint in
      var estimate = EndpointEstimate()
      estimate.nodeLife = endpoint.traits.declaredLife
      return estimate
    }
    reports = Array(repeating: EndpointReport(), count: table.endpoints.count)
    firstTokens = Array(repeating: nil, count: table.endpoints.count)
    routes = Array(repeating: RouteEstimate(), count: table.routes.count)
    isMarked = Array(repeating: false, count: table.models.count)
  }

  mutating func put(history: Int, at place: Int) {
    historyPlaces[place] = Int32(clamping: history)
  }

  /// The model of the endpoint at `place` must be worked out again.
  mutating func mark(_ place: Int) {
    let model = table.endpoints[place].model
    if isMarked[model] { return }
    isMarked[model] = true
    marked.append(model)
  }

  mutating func set(_ estimate: RouteEstimate, route name: String) {
    guard let place = table.route(named: name), routes[place] != estimate else { return }
    made = nil
    routes[place] = estimate
  }

  mutating func knowledge() -> Knowledge {
    if let made { return made }
    let knowledge = Knowledge(endpoints: endpoints, reports: reports, routes: routes, firstTokens: firstTokens)
    made = knowledge
    return knowledge
  }

  /// Works out the marked models.
  mutating func renew(_ histories: inout [EndpointHistory]) {
    if marked.isEmpty { return }
    made = nil
    for model in marked {
      isMarked[model] = false
      renew(table.models[model].endpoints, &histories)
    }
    marked.removeAll(keepingCapacity: true)
  }

  private mutating func renew(_ places: [Int], _ histories: inout [EndpointHistory]) {
    var (firsts, speeds): ([Double], [Double]) = ([], [])
    for place in places {
      let history = Int(historyPlaces[place])
      if history < 0 { continue }
      histories[history].age(slot: slot)
      if let first = histories[history].firstToken.evidence(at: slot) { firsts.append(first) }
      if let speed = histories[history].generation.evidence(at: slot) { speeds.append(speed) }
    }
    let defaults = EndpointEstimate()
    let firstPeers = PeerSpeed(firsts, fallback: defaults.firstToken)
    let speedPeers = PeerSpeed(speeds, fallback: defaults.throughput)
    let (newFirst, newSpeed) = (firstPeers.value(without: nil), speedPeers.value(without: nil))
    var members: [(place: Int, report: EndpointReport, throughputs: Int)] = []
    var failures: [(place: Int, id: String, judged: Int, bad: Int)] = []
    for place in places {
      let index = Int(historyPlaces[place])
      guard index >= 0 else {
        endpoints[place].firstToken = newFirst
        endpoints[place].throughput = newSpeed
        continue
      }
      let (first, speed) = (
        histories[index].firstToken.evidence(at: slot), histories[index].generation.evidence(at: slot)
      )
      endpoints[place] = histories[index].estimate(
        firstToken: firstPeers.value(without: first), throughput: speedPeers.value(without: speed),
        declaredLife: table.endpoints[place].traits.declaredLife, slot: slot)
      reports[place] = histories[index].report(slot: slot)
      firstTokens[place] = histories[index].firstTokenTimes(failureRate: endpoints[place].failureRate)
      members.append((place, reports[place], histories[index].throughput.long.count))
      let seen = reports[place].lastFiveMinutes
      failures.append(
        (place, table.endpoints[place].id, endpoints[place].samples, seen.failures + seen.interruptions))
    }
    for (place, reason) in PeerComparison(members).reasons {
      endpoints[place].isLagging = true
      reports[place].lag = reason
    }
    for (place, reason) in PeerFailures(failures).reasons {
      endpoints[place].isOutlier = true
      reports[place].outlier = reason
    }
  }
}

extension EndpointTraits {
  /// Seconds that a node lives, as declared.
  var declaredLife: Double? {
    nodeLife.map { life in
      let (seconds, attoseconds) = life.components
      return Double(seconds) + Double(attoseconds) / 1e18
    }
  }
}
