/// Makes the segments of one folder survive a power loss: syncs each that has grown since its last sync, and the folder
/// when a new one is there. Belongs to one thread at a time.
struct JournalSync {
  private let folder: String
  private var sizes: [SegmentName: Int] = [:]

  init(folder: String) { self.folder = folder }

  mutating func sync() throws(JournalError) {
    let segments = try JournalInstance.segments(in: folder)
    var isNew = false
    for segment in segments {
      let path = "\(folder)/\(segment)"
      guard let size = FileSystem.size(path), sizes[segment] != size else { continue }
      try FileSystem.sync(path)
      isNew = isNew || sizes[segment] == nil
      sizes[segment] = size
    }
    if isNew { try FileSystem.sync(folder) }
    let present = Set(segments)
    sizes = sizes.filter { present.contains($0.key) }
  }
}
