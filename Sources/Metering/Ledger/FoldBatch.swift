/// What one transaction takes from one instance's journals.
struct FoldBatch {
  var instance: RecordID
  var records: [JournalRecord] = []
  /// How far each segment is then folded.
  var offsets: [SegmentName: Int] = [:]
  /// Segments that were unlinked since the last transaction.
  var forgotten: [SegmentName] = []

  var isEmpty: Bool { records.isEmpty && offsets.isEmpty && forgotten.isEmpty }
}
