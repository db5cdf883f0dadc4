import CCurl
import CLinux

/// An easy handle with the options that all requests to one target share, and the transfer that uses it now. Belongs to
/// one loop.
///
/// It is the context of libcurl's callbacks, so it outlives the handle's every use.
final class EasyHandle {
  let easy: OpaqueHandle
  /// The transfer under way.
  unowned(unsafe) var transfer: UpstreamTransfer?

  /// Where Debian keeps the authorities.
  private static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

  /// `nil` when libcurl has no memory for another.
  ///
  /// - Parameter client: outlives every connection that is made with the handle.
  init?(target: UpstreamTarget, client: CurlClient) {
    guard let easy = curl_easy_init() else { return nil }
    self.easy = easy
    let context = Unmanaged.passUnretained(self).toOpaque()
    pm_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
    pm_easy_set_long(easy, CURLOPT_POST, 1)
    pm_easy_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
    // No proxy for any host: what the environment says of proxies is not even looked up.
    pm_easy_set_string(easy, CURLOPT_NOPROXY, "*")
    pm_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    // Nothing is asked for compressed, and nothing that comes so is inflated: `ResponseHeaderReader` refuses it. Without
    // this libcurl 7.88 inflates a `Transfer-Encoding: gzip, chunked` too.
    pm_easy_set_long(easy, CURLOPT_HTTP_CONTENT_DECODING, 0)
    pm_easy_set_long(easy, CURLOPT_TCP_NODELAY, 1)
    // libcurl keeps a buffer of this size for each running transfer: most of what an idle stream costs.
    pm_easy_set_long(easy, CURLOPT_BUFFERSIZE, 8 << 10)
    // Names are resolved off the loop and handed over; what was handed over must not age inside libcurl.
    pm_easy_set_long(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1)
    pm_easy_set_pointer(easy, CURLOPT_PRIVATE, context)
    pm_easy_set_pointer(easy, CURLOPT_WRITEDATA, context)
    pm_easy_set_pointer(easy, CURLOPT_HEADERDATA, context)
    pm_easy_set_pointer(easy, CURLOPT_PREREQDATA, context)
    pm_easy_set_pointer(easy, CURLOPT_READDATA, context)
    pm_easy_set_pointer(easy, CURLOPT_CLOSESOCKETDATA, Unmanaged.passUnretained(client).toOpaque())
    setCallbacks()
    pm_easy_set_pointer(easy, CURLOPT_CURLU, target.url.map { UnsafeRawPointer($0) })
    pm_easy_set_long(easy, CURLOPT_HTTP_VERSION, target.httpVersion)
    // A plain server's keep-alive is often 5 s (vLLM); ask for less, so that a re-used connection is seldom dead.
    pm_easy_set_long(easy, CURLOPT_MAXAGE_CONN, target.usesTLS ? 55 : 4)
    if target.usesTLS {
      pm_easy_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
      pm_easy_set_string(easy, CURLOPT_CAINFO, target.caFile ?? Self.systemAuthorities)
    }
  }

  deinit { curl_easy_cleanup(easy) }

  /// Sets what is this transfer's own.
  ///
  /// - Parameter multi: the handle that will drive it.
  func take(_ transfer: UpstreamTransfer, in multi: CurlMulti) {
    self.transfer = transfer
    // libcurl moves what it is given here into the cache of the multi handle that the transfer runs in, once.
    if multi.needsAddresses(of: transfer.target) {
      pm_easy_set_pointer(easy, CURLOPT_RESOLVE, transfer.target.resolve)
    }
    pm_easy_set_pointer(easy, CURLOPT_HTTPHEADER, transfer.headerList)
    if let source = transfer.source {
      pm_easy_set_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(source.length))
      pm_easy_set_pointer(easy, CURLOPT_POSTFIELDS, nil)
    } else {
      transfer.body.withBytes { bytes in
        pm_easy_set_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(bytes.count))
        pm_easy_set_pointer(easy, CURLOPT_POSTFIELDS, bytes.baseAddress)
      }
    }
    pm_easy_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, transfer.connectTimeout)
    pm_easy_set_long(easy, CURLOPT_FRESH_CONNECT, transfer.wantsFreshConnection ? 1 : 0)
  }

  // MARK: - Callbacks: they only take note

  private func setCallbacks() {
    pm_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let bytes, let transfer = EasyHandle.transfer(of: context) else { return size &* count }
      let taken = transfer.receivedBody(UnsafeRawBufferPointer(start: bytes, count: size &* count))
      return taken ? size &* count : Int(CURL_WRITEFUNC_PAUSE)
    }
    pm_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      guard let bytes, let transfer = EasyHandle.transfer(of: context) else { return size &* count }
      let accepted = transfer.receivedHeader(UnsafeRawBufferPointer(start: bytes, count: size &* count))
      return accepted ? size &* count : 0
    }
    pm_easy_set_data_callback(easy, CURLOPT_READFUNCTION) { room, size, count, context in
      guard let room, let transfer = EasyHandle.transfer(of: context) else { return 0 }
      return transfer.sendBody(into: UnsafeMutableRawBufferPointer(start: room, count: size &* count))
        ?? Int(CURL_READFUNC_ABORT)
    }
    // libcurl sends a request again by itself when a re-used connection dies without a byte. One send per transfer:
    // the second is stopped here, and the relay records an attempt of its own for it.
    pm_easy_set_prereq(easy) { context, _, _, _, _ in
      guard let transfer = EasyHandle.transfer(of: context) else { return Int32(CURL_PREREQFUNC_ABORT) }
      transfer.sends += 1
      return Int32(transfer.sends == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT)
    }
    pm_easy_set_closesocket(easy) { context, descriptor in
      guard let context else { return 1 }
      Unmanaged<CurlClient>.fromOpaque(context).takeUnretainedValue().closeSocket(descriptor)
      return 0
    }
    pm_easy_set_sockopt(easy) { _, descriptor, _ in
      pm_watch_peer(descriptor)
      return Int32(CURL_SOCKOPT_OK)
    }
  }

  private static func transfer(of context: UnsafeMutableRawPointer?) -> UpstreamTransfer? {
    context.flatMap { Unmanaged<EasyHandle>.fromOpaque($0).takeUnretainedValue().transfer }
  }
}
