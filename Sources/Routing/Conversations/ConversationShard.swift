import Synchronization

/// A part of the index behind a lock of its own.
///
/// Two generations: what is touched moves to the young one; when that is full it becomes the old one, and what nobody
/// touched since the last time is gone. That is least recently used to within a generation, in amortised constant time
/// and without links.
final class ConversationShard: Sendable {
  /// How many entries a generation has at most: as many as a `Dictionary` of 2,048 slots takes.
  static let generation = 1_536

  struct State {
    private var young: [UInt64: HoldingSet] = [:]
    private var old: [UInt64: HoldingSet] = [:]

    var count: Int { young.count + old.count }

    /// The entry, touched.
    mutating func find(_ key: UInt64) -> HoldingSet? {
      if let found = young[key] { return found }
      guard let found = old.removeValue(forKey: key) else { return nil }
      store(found, key)
      return found
    }

    /// Changes an entry; `nil` is none, before and after.
    mutating func update(_ key: UInt64, _ change: (inout HoldingSet?) -> Void) {
      var entry = young.removeValue(forKey: key) ?? old.removeValue(forKey: key)
      change(&entry)
      if let entry { store(entry, key) }
    }

    private mutating func store(_ entry: HoldingSet, _ key: UInt64) {
      if young.count >= ConversationShard.generation {
        swap(&young, &old)
        young.removeAll(keepingCapacity: true)
      }
      young[key] = entry
    }
  }

  let state = Mutex(State())
}
