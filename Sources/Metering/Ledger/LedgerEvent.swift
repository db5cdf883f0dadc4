/// What the writer and recovery have to tell an admin.
public enum LedgerEvent: Sendable, Equatable, CustomStringConvertible {
  /// A pass failed and will be tried again; nothing is lost.
  case foldFailed(reason: String)
  /// The journal's bytes could not be made safe against a power loss; they are still folded.
  case syncFailed(reason: String)
  /// A segment has no valid record from `offset` on. `copy` is where those bytes are kept; nil while its writer lives and
  /// the segment is not yet left.
  case damaged(file: String, offset: Int, bytes: Int, copy: String?)
  /// The journals of a process that died were folded.
  case recovered(instance: RecordID, records: Int, interrupted: Int)

  public var description: String {
    switch self {
    case .foldFailed(let reason): "\(reason). Records wait in the journal and are folded on the next try."
    case .syncFailed(let reason): "\(reason). A power loss now may lose the newest records."
    case .damaged(let file, let offset, let bytes, let copy):
      "\(file) has no valid record from byte \(offset) on: \(bytes) bytes "
        + (copy.map { "are kept in \($0)" } ?? "wait until the segment is left")
    case .recovered(let instance, let records, let interrupted):
      "folded \(records) records that \(instance) left, closed \(interrupted) attempts as interrupted"
    }
  }
}
