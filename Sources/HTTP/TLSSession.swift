import COpenSSL

#if canImport(Glibc)
  import Glibc
#endif

/// TLS on one connection's socket, by OpenSSL. The handshake is part of the first reads. Belongs to one loop.
final class TLSSession {
  /// One write hands at most about this much to the socket, so that a fast reader does not keep the loop to itself.
  private static let writeLimit = 256 << 10

  private let ssl: OpaquePointer
  let descriptor: Int32
  /// After a fatal error nothing more may be asked of OpenSSL.
  private var isBroken = false
  /// Whether the last read gave bytes, so that more may lie in OpenSSL where epoll does not see them.
  private var hasRead = false
  /// Whether the last read cannot go on before the socket takes something: an answer to the peer's handshake message.
  private(set) var isWriteAwaited = false

  /// Takes `ssl` over, and leaves the descriptor to its owner.
  init(ssl: OpaquePointer, descriptor: Int32) {
    self.ssl = ssl
    self.descriptor = descriptor
  }

  deinit { SSL_free(ssl) }

  /// Whether another read may give bytes without the socket's becoming readable again.
  var isHolding: Bool { hasRead && SSL_has_pending(ssl) == 1 }

  /// Like `read(2)`, of at most one record: the count, 0 at the peer's close_notify, or a negative errno; `-EAGAIN` also
  /// while the handshake is under way.
  func read(into: UnsafeMutableRawPointer, _ count: Int) -> Int {
    hasRead = false
    isWriteAwaited = false
    if isBroken { return -Int(EPROTO) }
    ERR_clear_error()
    var got = 0
    let result = SSL_read_ex(ssl, into, count, &got)
    if result == 1 {
      hasRead = true
      return got
    }
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: return -Int(EAGAIN)
    case SSL_ERROR_WANT_WRITE:
      isWriteAwaited = true
      return -Int(EAGAIN)
    case SSL_ERROR_ZERO_RETURN: return 0
    default: return fail()
    }
  }

  /// Like `write(2)`: the count, or a negative errno. After `-EAGAIN` the next write must begin with the same bytes, and
  /// have at least as many.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    if isBroken { return -Int(EPIPE) }
    guard let base = bytes.baseAddress else { return 0 }
    var total = 0
    while total < bytes.count, total < Self.writeLimit {
      ERR_clear_error()
      var put = 0
      let result = SSL_write_ex(ssl, base + total, bytes.count - total, &put)
      if result == 1 {
        total += put
        continue
      }
      switch SSL_get_error(ssl, result) {
      case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return total > 0 ? total : -Int(EAGAIN)
      default: return fail()
      }
    }
    return total
  }

  /// Sends close_notify, so that the client knows that nothing was cut off.
  ///
  /// - Returns: false when the socket does not take it now.
  func end() -> Bool {
    if isBroken || SSL_is_init_finished(ssl) == 0 { return true }
    ERR_clear_error()
    let result = SSL_shutdown(ssl)
    if result >= 0 { return true }
    if SSL_get_error(ssl, result) == SSL_ERROR_WANT_WRITE { return false }
    _ = fail()
    return true
  }

  private func fail() -> Int {
    isBroken = true
    ERR_clear_error()
    return -Int(EPROTO)
  }
}
