import Glibc

/// The few system calls that journals and recovery need; all files 0600, folders 0700.
enum FileSystem {
  /// Makes a folder and those above it; one that exists is left as it is.
  static func makeFolder(_ path: String) throws(JournalError) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw JournalError("make folder", path)
    }
    try makeFolder(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw JournalError("make folder", path) }
  }

  /// Names in a folder, sorted; empty when it does not exist.
  static func names(in folder: String) throws(JournalError) -> [String] {
    guard let stream = opendir(folder) else {
      if errno == ENOENT || errno == ENOTDIR { return [] }
      throw JournalError("list", folder)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Opens a file and takes its lock, which the system drops when the process ends. Nil when another holds it, or the
  /// folder is gone.
  static func lock(_ path: String) throws(JournalError) -> Int32? {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw JournalError("open", path)
    }
    while flock(file, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      close(file)
      if code == EWOULDBLOCK { return nil }
      throw JournalError("lock", path, code: code)
    }
    return file
  }

  /// Up to `limit` bytes of a file from `offset`; fewer at its end.
  static func read(_ path: String, from offset: Int, limit: Int) throws(JournalError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw JournalError("open", path) }
    defer { close(file) }
    var state = stat()
    guard fstat(file, &state) == 0 else { throw JournalError("examine", path) }
    let wanted = min(limit, max(0, Int(state.st_size) - offset))
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
      while count < wanted {
        let got = pread(file, buffer.baseAddress.map { $0 + count }, wanted - count, offset + count)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        if got <= 0 { break }
        count += got
      }
    }
    guard failure == 0 else { throw JournalError("read", path, code: failure) }
    return bytes
  }

  /// Writes a whole new file and syncs it.
  static func write(_ bytes: [UInt8], to path: String) throws(JournalError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw JournalError("open", path) }
    defer { close(file) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { all in
        Glibc.write(file, all.baseAddress.map { $0 + written }, all.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw JournalError("write", path) }
      written += count
    }
    guard fdatasync(file) == 0 else { throw JournalError("sync", path) }
  }

  /// Makes a file's bytes, or a folder's entries, survive a power loss. A file that is gone needs none.
  static func sync(_ path: String) throws(JournalError) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return }
      throw JournalError("open", path)
    }
    defer { close(file) }
    while fdatasync(file) != 0 {
      guard errno == EINTR else { throw JournalError("sync", path) }
    }
  }

  /// Size of a file; nil when it is gone.
  static func size(_ path: String) -> Int? {
    var state = stat()
    return stat(path, &state) == 0 ? Int(state.st_size) : nil
  }

  static func remove(_ path: String) throws(JournalError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw JournalError("remove", path) }
  }

  /// Removes an empty folder; one with files of others in it stays.
  static func removeFolder(_ path: String) throws(JournalError) {
    guard rmdir(path) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST else {
      throw JournalError("remove", path)
    }
  }
}
