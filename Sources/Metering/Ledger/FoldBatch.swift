/// What one transaction takes from one instance's journals.
struct FoldBatch {
  /// An attempt that was opened in this batch, and its end when that is in it too: most need one write instead of two.
  struct Folded {
    var open: OpenRecord
    var settled: AttemptSettled?
  }

  var instance: RecordID
  /// How far each segment is then folded.
  var offsets: [SegmentName: Int] = [:]
  /// Segments that were unlinked since the last transaction.
  var forgotten: [SegmentName] = []
  /// In the order of their open records.
  private(set) var attempts: [Folded] = []
  /// Settle records whose open record came in an earlier batch, or is lost.
  private(set) var settled: [AttemptSettled] = []
  /// Records that were added.
  private(set) var count = 0
  private var places: [RecordID: Int] = [:]

  init(instance: RecordID) { self.instance = instance }

  var isEmpty: Bool { count == 0 && offsets.isEmpty && forgotten.isEmpty }

  /// Empties it and keeps its memory for the next one.
  mutating func removeAll() {
    offsets.removeAll(keepingCapacity: true)
    forgotten.removeAll(keepingCapacity: true)
    attempts.removeAll(keepingCapacity: true)
    settled.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
    count = 0
  }

  mutating func add(_ record: JournalRecord) {
    count += 1
    switch record {
    case .opened(let open):
      // The first wins, as in the ledger.
      guard places[open.unnamed.id] == nil else { return }
      places[open.unnamed.id] = attempts.count
      attempts.append(Folded(open: open))
    case .settled(let settle):
      if let place = places[settle.id], attempts[place].settled.map({ settle.completes($0.flags) }) ?? true {
        attempts[place].settled = settle.bounded
      } else {
        settled.append(settle.bounded)
      }
    }
  }
}
