import Foundation

/// Why the system refused a file, in its own words: Foundation's errors print as a dump of themselves.
struct SystemReason {
  /// An errno.
  let code: Int32

  /// For example `Permission denied`.
  var text: String { String(cString: strerror(code)) }

  /// Why a file cannot be read; `nil` when it can.
  static func reading(_ path: String) -> SystemReason? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return SystemReason(code: errno) }
    defer { close(descriptor) }
    // A folder can be opened, but not read.
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return SystemReason(code: errno) }
    return status.st_mode & S_IFMT == S_IFDIR ? SystemReason(code: EISDIR) : nil
  }

  /// Why there can be no folder at a path that this process alone uses; `nil` when it is there now, and those above it.
  static func makingFolder(_ path: String) -> SystemReason? {
    var made = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      made += part + "/"
      if mkdir(made, 0o700) == 0 || errno == EEXIST { continue }
      // A folder above it may be in a place where nothing can be made, and there all the same.
      let reason = errno
      if access(made, X_OK) != 0 { return SystemReason(code: reason) }
    }
    return access(made, W_OK | X_OK) == 0 ? nil : SystemReason(code: errno)
  }

  /// The text of any error: of the system's the errno text, of others what they say.
  static func text(of error: any Error) -> String {
    var next: NSError? = error as NSError
    while let found = next {
      if found.domain == NSPOSIXErrorDomain { return SystemReason(code: Int32(clamping: found.code)).text }
      next = found.userInfo[NSUnderlyingErrorKey] as? NSError
    }
    return error is CocoaError ? error.localizedDescription : "\(error)"
  }
}
