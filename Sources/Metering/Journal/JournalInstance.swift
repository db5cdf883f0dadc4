import Glibc

/// The folder of this process's journals, `DATA/journal/<id>`, locked for the process's life: recovery folds only folders
/// whose process is gone.
public final class JournalInstance: Sendable {
  static let lockName = "lock"

  public let id: RecordID
  /// Path of the folder.
  public let folder: String
  private let lock: Int32

  /// Path of the folder above all instances.
  static func parent(inDataDirectory directory: String) -> String { "\(directory)/journal" }

  /// Makes the folder. It appears under its name only once it is locked, so that no recovery takes it for a dead one.
  public init(dataDirectory: String, id: RecordID) throws(JournalError) {
    let parent = Self.parent(inDataDirectory: dataDirectory)
    try FileSystem.makeFolder(parent)
    let hidden = "\(parent)/.\(id)"
    let folder = "\(parent)/\(id)"
    guard mkdir(hidden, 0o700) == 0 else { throw JournalError("make folder", hidden) }
    guard let lock = try FileSystem.lock("\(hidden)/\(Self.lockName)") else {
      throw JournalError("lock", hidden, code: EWOULDBLOCK)
    }
    guard rename(hidden, folder) == 0 else {
      let code = errno
      close(lock)
      throw JournalError("name folder", folder, code: code)
    }
    self.id = id
    self.folder = folder
    self.lock = lock
  }

  deinit { close(lock) }

  /// Path of a segment.
  func path(of segment: SegmentName) -> String { "\(folder)/\(segment)" }

  /// The segments that are there now, in order.
  static func segments(in folder: String) throws(JournalError) -> [SegmentName] {
    try FileSystem.names(in: folder).compactMap { SegmentName($0) }.sorted()
  }

  /// Removes the lock file and the folder, which must be empty but for it.
  static func removeEmptied(_ folder: String) throws(JournalError) {
    try FileSystem.remove("\(folder)/\(lockName)")
    try FileSystem.removeFolder(folder)
  }
}
