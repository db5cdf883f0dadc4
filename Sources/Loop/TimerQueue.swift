/// What a timer wakes. Belongs to one loop.
public protocol TimerTarget: AnyObject {
  /// The deadline passed; `now` is monotonic nanoseconds.
  func timerFired(now: UInt64)
}

/// Deadlines of one loop: a binary heap of lazily kept entries.
///
/// To move a deadline later costs one store: the entry in the heap stays where it is and is put back when it comes up
/// too early. So a stream may push its gap deadline on with every token.
struct TimerQueue {
  private struct Slot {
    var target: (any TimerTarget)?
    /// What the owner wants; 0 means disarmed.
    var wanted: UInt64 = 0
    /// The deadline of the one live heap entry; 0 means none.
    var queued: UInt64 = 0
    var generation: UInt32 = 0
  }
  private struct Entry {
    var deadline: UInt64
    var slot: UInt32
    var generation: UInt32
  }

  private var slots: ContiguousArray<Slot> = []
  private var free: ContiguousArray<UInt32> = []
  private var heap: ContiguousArray<Entry> = []
  /// Entries in the heap that nobody waits for any more: their timer was removed or moved earlier.
  private var stale = 0

  mutating func add(_ target: any TimerTarget) -> Int {
    if let slot = free.popLast() {
      slots[Int(slot)].target = target
      return Int(slot)
    }
    slots.append(Slot(target: target))
    return slots.count - 1
  }

  mutating func remove(_ slot: Int) {
    guard slots.indices.contains(slot), slots[slot].target != nil else { return }
    slots[slot].target = nil
    slots[slot].wanted = 0
    abandonEntry(of: slot)
    free.append(UInt32(slot))
  }

  /// Arms, moves or (with `nil`) disarms a timer.
  mutating func arm(_ slot: Int, at deadline: UInt64?) {
    guard slots.indices.contains(slot), slots[slot].target != nil else { return }
    guard let deadline else {
      slots[slot].wanted = 0
      return
    }
    let wanted = max(deadline, 1)
    slots[slot].wanted = wanted
    if slots[slot].queued == 0 || wanted < slots[slot].queued {
      abandonEntry(of: slot)
      slots[slot].queued = wanted
      push(Entry(deadline: wanted, slot: UInt32(slot), generation: slots[slot].generation))
    }
  }

  /// The earliest entry, which may be one that will only be put back.
  var earliest: UInt64? { heap.first?.deadline }

  /// How many entries the heap holds, stale ones included.
  var entryCount: Int { heap.count }

  /// The next target whose deadline has passed, or `nil`.
  mutating func popDue(now: UInt64) -> (any TimerTarget)? {
    while let first = heap.first, first.deadline <= now {
      pop()
      let slot = Int(first.slot)
      guard slots[slot].generation == first.generation else {
        stale -= 1
        continue
      }
      slots[slot].queued = 0
      let wanted = slots[slot].wanted
      if wanted == 0 { continue }
      if wanted > now {
        slots[slot].queued = wanted
        push(Entry(deadline: wanted, slot: first.slot, generation: first.generation))
        continue
      }
      slots[slot].wanted = 0
      return slots[slot].target
    }
    return nil
  }

  /// Makes the heap entry of a timer stale; the heap is swept when most of it is.
  private mutating func abandonEntry(of slot: Int) {
    guard slots[slot].queued != 0 else { return }
    slots[slot].queued = 0
    slots[slot].generation &+= 1
    stale += 1
    guard stale > 1024, stale > heap.count / 2 else { return }
    let all = heap
    heap.removeAll(keepingCapacity: true)
    stale = 0
    for entry in all where slots[Int(entry.slot)].generation == entry.generation { push(entry) }
  }

  private mutating func push(_ entry: Entry) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent].deadline <= entry.deadline { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = entry
  }

  private mutating func pop() {
    guard let last = heap.popLast(), !heap.isEmpty else { return }
    var parent = 0
    while true {
      var child = parent * 2 + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline { child += 1 }
      if heap[child].deadline >= last.deadline { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = last
  }
}
