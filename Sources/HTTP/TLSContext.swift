import COpenSSL

#if canImport(Glibc)
  import Glibc
#endif

/// What all TLS connections to clients have in common: certificate, key, protocol rules and the keys of session tickets.
/// One per process, shared by all loops, so that a session begun on one loop is resumed on any.
///
/// TLS 1.2 and 1.3 (RFC 5246, RFC 8446), ALPN `http/1.1` (RFC 7301), resumption by tickets (RFC 5077, RFC 8446 section
/// 2.2).
public final class TLSContext: Sendable {
  /// Set up whole in `init` and only read from then on; OpenSSL counts its references atomically.
  private nonisolated(unsafe) let context: OpaquePointer

  /// Reads the certificate and its key. It sets SIGPIPE to be ignored, for the whole process: OpenSSL writes with
  /// `write(2)`.
  ///
  /// - Parameters:
  ///   - certificate: the path of a PEM file: the server's certificate first, then those of its issuers.
  ///   - key: the path of a PEM file with the certificate's private key, without a password.
  ///   - earlier: sessions begun under this context go on if it presents the same certificate.
  public init(certificate: String, key: String, following earlier: TLSContext? = nil) throws(TLSFileError) {
    signal(SIGPIPE, SIG_IGN)
    ERR_clear_error()
    guard let context = SSL_CTX_new(TLS_server_method()) else {
      throw TLSFileError(file: .certificate, reason: Self.takeReason())
    }
    var failure: TLSFileError?
    if pm_tls_set_rules(context) != 1 || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 {
      failure = TLSFileError(file: .certificate, reason: Self.takeReason())
    } else if SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1
      || SSL_CTX_check_private_key(context) != 1
    {
      failure = TLSFileError(file: .key, reason: Self.takeReason())
    }
    if let failure {
      SSL_CTX_free(context)
      throw failure
    }
    if let earlier, pm_tls_is_same_certificate(context, earlier.context) == 1 {
      pm_tls_keep_tickets(context, earlier.context)
    }
    self.context = context
  }

  deinit { SSL_CTX_free(context) }

  /// A new connection's TLS over a socket that has been accepted; `nil` without memory.
  func makeSession(descriptor: Int32) -> TLSSession? {
    guard let ssl = SSL_new(context) else { return nil }
    guard SSL_set_fd(ssl, descriptor) == 1 else {
      SSL_free(ssl)
      return nil
    }
    SSL_set_accept_state(ssl)
    return TLSSession(ssl: ssl, descriptor: descriptor)
  }

  private static func takeReason() -> String { String(cString: pm_tls_take_reason()) }
}

/// Why a certificate or its key cannot be used.
public struct TLSFileError: Error {
  public enum File: Sendable {
    case certificate
    case key
  }

  /// Which of the two it is about.
  public let file: File
  /// OpenSSL's words, or the system's.
  public let reason: String
}
