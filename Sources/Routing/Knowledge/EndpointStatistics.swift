import Catalog

/// What attempts taught about endpoints and routes, and what follows for the next choice.
///
/// A value that belongs to whoever folds. It is kept by `Endpoint.key` and by the routes' names, so that it outlives a
/// reload; what is in no table for an hour is forgotten. Time is monotonic nanoseconds and is passed in.
///
/// How an estimate comes about (k is what the prior is worth in samples):
/// - speeds: `(n * median of five minutes + k * prior) / (n + k)`, k = 5. The prior is what the endpoint was before,
///   fading with a half-life of ten minutes, towards the median of the model's other endpoints, towards the defaults of
///   `EndpointEstimate` (`TimedSamples.estimate`, `PeerSpeed`).
/// - rates: `(bad + k * p) / (n + k)` over five minutes, p the default, k = 10 for failures and 20 for interruptions.
/// - the cache's yield and a node's life: ratios of sums with half-lives of half an hour and six hours
///   (`EndpointHistory`).
public struct EndpointStatistics: Sendable {
  /// For how many slots something is kept that is in no table: an hour.
  static let keptSlots = 360

  var histories: [EndpointHistory] = []
  var routes: [String: RouteHistory] = [:]
  private var indexes: [UInt64: Int] = [:]
  private var changedHistories: [Int] = []
  private var changedRoutes: Set<String> = []
  private var picture: Picture?

  public init() {}

  init(histories: [EndpointHistory], routes: [String: RouteHistory]) {
    self.histories = histories
    self.routes = routes
    indexHistories()
  }

  /// Takes in what was observed. The order does not matter much: batches of several loops come one after the other.
  public mutating func fold(_ observations: [AttemptObservation]) {
    for seen in observations {
      let index = index(of: seen)
      histories[index].add(seen)
      if !histories[index].isChanged {
        histories[index].isChanged = true
        changedHistories.append(index)
      }
      routes[seen.route, default: RouteHistory()].add(seen)
      changedRoutes.insert(seen.route)
    }
  }

  /// What is known at `now`; the same object as last time when nothing changed since. Only models with an endpoint that
  /// was observed since are worked out again, and every 10 seconds those that grew older.
  public mutating func knowledge(for table: RouteTable, now: UInt64) -> Knowledge {
    let slot = Slot.at(now)
    var picture = takePicture(of: table, slot: slot)
    for index in changedHistories {
      histories[index].isChanged = false
      if histories[index].isPlaced == false { find(index, in: table, &picture, slot: slot) }
      if let place = histories[index].place { picture.mark(place) }
    }
    changedHistories.removeAll(keepingCapacity: true)
    if picture.slot < slot {
      // What could still change when it was last looked at.
      for index in histories.indices where histories[index].isWarm(slot: picture.slot) {
        if let place = histories[index].place { picture.mark(place) }
      }
      picture.slot = slot
    }
    picture.renew(&histories)
    for name in changedRoutes {
      if let history = routes[name] { picture.set(history.estimate, route: name) }
    }
    changedRoutes.removeAll(keepingCapacity: true)
    let knowledge = picture.knowledge()
    self.picture = picture
    return knowledge
  }

  /// The last picture when it is of this table, else a new one. Afterwards `self` has none, so that its arrays are
  /// changed where they are.
  private mutating func takePicture(of table: RouteTable, slot: Int) -> Picture {
    if let last = picture, last.table === table, last.slot >= slot || !forget(slot: slot) {
      picture = nil
      return last
    }
    picture = nil
    _ = forget(slot: slot)
    var made = Picture(table, slot: slot)
    for index in histories.indices {
      find(index, in: table, &made, slot: slot)
      if let place = histories[index].place { made.mark(place) }
    }
    for name in routes.keys {
      if table.route(named: name) != nil {
        routes[name]?.goneSince = nil
        changedRoutes.insert(name)
      } else if routes[name]?.goneSince == nil {
        routes[name]?.goneSince = slot
      }
    }
    return made
  }

  private mutating func find(_ index: Int, in table: RouteTable, _ picture: inout Picture, slot: Int) {
    let place = table.endpointPlaces[histories[index].key]
    histories[index].place = place
    histories[index].isPlaced = true
    if let place {
      histories[index].goneSince = nil
      picture.put(history: index, at: place)
    } else if histories[index].goneSince == nil {
      histories[index].goneSince = slot
    }
  }

  /// Forgets what has been in no table for an hour.
  ///
  /// - Returns: whether there was an endpoint among it.
  private mutating func forget(slot: Int) -> Bool {
    routes = routes.filter { $0.value.goneSince.map { slot - $0 < Self.keptSlots } ?? true }
    let count = histories.count
    histories.removeAll { $0.goneSince.map { slot - $0 >= Self.keptSlots } ?? false }
    if histories.count == count { return false }
    indexHistories()
    return true
  }

  private mutating func index(of seen: AttemptObservation) -> Int {
    if let index = indexes[seen.endpoint] { return index }
    histories.append(EndpointHistory(key: seen.endpoint, heardAt: Int64(clamping: seen.at)))
    indexes[seen.endpoint] = histories.count - 1
    return histories.count - 1
  }

  private mutating func indexHistories() {
    indexes = [:]
    changedHistories = []
    for index in histories.indices {
      indexes[histories[index].key] = index
      histories[index].isChanged = false
    }
  }
}
