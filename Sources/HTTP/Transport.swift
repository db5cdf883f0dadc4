import CLinux

/// The one place where a connection's bytes are read and written.
enum Transport {
  case plain(Int32)

  var descriptor: Int32 {
    switch self {
    case .plain(let descriptor): descriptor
    }
  }

  /// Like `read(2)`: the count, 0 at the end, or a negative errno.
  func read(into: UnsafeMutableRawPointer, _ count: Int) -> Int {
    switch self {
    case .plain(let descriptor): pm_read(descriptor, into, count)
    }
  }

  /// Like `write(2)`: the count or a negative errno.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    switch self {
    case .plain(let descriptor): pm_send(descriptor, bytes.baseAddress, bytes.count)
    }
  }
}
