import Catalog
import HTTP
import Synchronization

/// How much the data plane takes on at once, in all and for each client key. All loops share these counts, and they
/// outlive a reload, which only moves their bounds.
final class Admission: Sendable {
  /// Completions that run.
  let completions: BoundedCount
  /// What the servers of all loops count together.
  let connections: BoundedCount
  let bodies: BoundedCount
  private let keys = Mutex(Keys())

  /// The counts of the keys that have, or have had, a bound. A place is never given to another key.
  struct Keys: Sendable {
    fileprivate(set) var places: [String: Int] = [:]
    fileprivate(set) var counts: [BoundedCount] = []
  }

  init(_ table: RouteTable) {
    let limits = table.listeners.limits
    completions = BoundedCount(bound: limits.streams)
    connections = BoundedCount(bound: limits.connections)
    bodies = BoundedCount(bound: limits.bodies)
    adopt(table)
  }

  /// The bounds of a new table hold from now on; what runs already goes on.
  func adopt(_ table: RouteTable) {
    let limits = table.listeners.limits
    completions.setBound(limits.streams)
    connections.setBound(limits.connections)
    bodies.setBound(limits.bodies)
    keys.withLock { keys in
      for count in keys.counts { count.setBound(.max) }
      for key in table.keys {
        guard let bound = key.concurrency else { continue }
        if let place = keys.places[key.name] {
          keys.counts[place].setBound(bound)
        } else {
          keys.places[key.name] = keys.counts.count
          keys.counts.append(BoundedCount(bound: bound))
        }
      }
    }
  }

  /// For a loop to look things up in without the lock.
  var boundedKeys: Keys { keys.withLock { $0 } }

  /// The bounds of a loop's server.
  var serverLimits: ServerLimits {
    var limits = ServerLimits()
    limits.connections = connections
    limits.bodies = bodies
    return limits
  }
}
