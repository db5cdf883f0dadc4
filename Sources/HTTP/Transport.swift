import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// The one place where a connection's bytes are read and written: plain or TLS.
enum Transport {
  case plain(Int32)
  case tls(TLSSession)
  case closed

  var descriptor: Int32 {
    switch self {
    case .plain(let descriptor): descriptor
    case .tls(let session): session.descriptor
    case .closed: -1
    }
  }

  /// Like `read(2)`: the count, 0 at the end, or a negative errno.
  func read(into: UnsafeMutableRawPointer, _ count: Int) -> Int {
    switch self {
    case .plain(let descriptor): pm_read(descriptor, into, count)
    case .tls(let session): session.read(into: into, count)
    case .closed: -Int(EBADF)
    }
  }

  /// Like `write(2)`: the count or a negative errno. After `-EAGAIN` the same bytes must come again, with or without
  /// more behind them.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    switch self {
    case .plain(let descriptor): pm_send(descriptor, bytes.baseAddress, bytes.count)
    case .tls(let session): session.write(bytes)
    case .closed: -Int(EBADF)
    }
  }

  /// Whether another read may give bytes although the socket is not readable.
  var isHolding: Bool { if case .tls(let session) = self { session.isHolding } else { false } }

  /// Whether the last read must be tried again when the socket is writable.
  var isWriteAwaited: Bool { if case .tls(let session) = self { session.isWriteAwaited } else { false } }

  /// Tells a TLS client that nothing was cut off: it ends what is written.
  ///
  /// - Returns: false when it must be tried again once the socket is writable.
  func endTLS() -> Bool { if case .tls(let session) = self { session.end() } else { true } }

  /// Reads what nobody wants to know, so it is not even decrypted. Returns what `read` would.
  func discard(into: UnsafeMutableRawPointer, _ count: Int) -> Int { pm_read(descriptor, into, count) }

  mutating func close() {
    if case .closed = self { return }
    pm_close(descriptor)
    self = .closed
  }
}
