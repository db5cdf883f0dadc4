import CCurl
import CLinux

extension CurlClient {
  /// Where Debian keeps the authorities; a reset of `CURLOPT_CAINFO` on a re-used handle needs the name.
  static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

  /// An easy handle with everything that is the same for all requests.
  func makeHandle() -> OpaqueHandle? {
    guard let easy = curl_easy_init() else { return nil }
    pm_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
    pm_easy_set_long(easy, CURLOPT_POST, 1)
    pm_easy_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
    pm_easy_set_string(easy, CURLOPT_PROXY, "")
    pm_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    pm_easy_set_long(easy, CURLOPT_TCP_NODELAY, 1)
    pm_easy_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    // Names are resolved off the loop and handed over; what was handed over must not age inside libcurl.
    pm_easy_set_long(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1)
    pm_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      CurlClient.received(bytes, size &* count, context)
    }
    pm_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      CurlClient.receivedHeader(bytes, size &* count, context)
    }
    // libcurl sends a request again by itself when a re-used connection dies without a byte. One send per transfer:
    // the second is stopped here, and the relay records an attempt of its own for it.
    pm_easy_set_prereq(easy) { context, _, _, _, _ in
      guard let context else { return Int32(CURL_PREREQFUNC_ABORT) }
      let transfer = Unmanaged<UpstreamTransfer>.fromOpaque(context).takeUnretainedValue()
      transfer.sends += 1
      return Int32(transfer.sends == 1 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT)
    }
    pm_easy_set_sockopt(easy) { _, descriptor, _ in
      pm_watch_peer(descriptor)
      return Int32(CURL_SOCKOPT_OK)
    }
    return easy
  }

  private static func received(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?
  ) -> Int {
    guard let bytes, let context, count > 0 else { return count }
    let transfer = Unmanaged<UpstreamTransfer>.fromOpaque(context).takeUnretainedValue()
    guard case .running = transfer.state else { return count }
    transfer.responseBytes += count
    let body = UnsafeBufferPointer(
      start: UnsafeRawPointer(bytes).assumingMemoryBound(to: UInt8.self), count: count)
    transfer.observer?.received(body.span)
    return count
  }

  private static func receivedHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?
  ) -> Int {
    guard let bytes, let context, count > 0 else { return count }
    let transfer = Unmanaged<UpstreamTransfer>.fromOpaque(context).takeUnretainedValue()
    guard case .running = transfer.state else { return count }
    transfer.responseBytes += count
    let line = UnsafeBufferPointer(
      start: UnsafeRawPointer(bytes).assumingMemoryBound(to: UInt8.self), count: count)
    switch transfer.headers.read(line.span) {
    case .more:
      return count
    case .complete:
      transfer.observer?.received(transfer.headers.head)
      return count
    case .refused(let reason):
      transfer.refusal = reason
      return 0
    }
  }
}
