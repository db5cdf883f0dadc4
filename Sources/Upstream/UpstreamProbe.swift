import CCurl

/// One small blocking request, for the admin side and the commands: does a provider answer, and which models does it
/// list? Never on a loop.
public enum UpstreamProbe {
  public struct Answer: Sendable {
    public let status: Int
    public let body: [UInt8]
  }

  private final class Body {
    var bytes: [UInt8] = []
  }
  private static let bodyLimit = 64 << 20

  /// - Parameters:
  ///   - fields: header lines, `Name: value`.
  ///   - content: posted when there is some; else the request is a GET.
  ///   - caFile: PEM file of the authorities to trust instead of the system's.
  ///   - milliseconds: for everything together.
  /// - Returns: `nil` when nothing answered in time.
  public static func send(
    _ url: String, fields: [String], posting content: [UInt8]? = nil, caFile: String? = nil, milliseconds: Int
  ) -> Answer? {
    guard let easy = curl_easy_init() else { return nil }
    defer { curl_easy_cleanup(easy) }
    var list: UnsafeMutablePointer<curl_slist>?
    for field in fields { list = curl_slist_append(list, field) }
    defer { curl_slist_free_all(list) }
    let body = Body()
    pm_easy_set_string(easy, CURLOPT_URL, url)
    pm_easy_set_pointer(easy, CURLOPT_HTTPHEADER, list)
    pm_easy_set_long(easy, CURLOPT_NOSIGNAL, 1)
    pm_easy_set_long(easy, CURLOPT_TIMEOUT_MS, milliseconds)
    pm_easy_set_string(easy, CURLOPT_PROXY, "")
    if let caFile { pm_easy_set_string(easy, CURLOPT_CAINFO, caFile) }
    pm_easy_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    pm_easy_set_long(easy, CURLOPT_HTTP_CONTENT_DECODING, 0)
    pm_easy_set_pointer(easy, CURLOPT_WRITEDATA, Unmanaged.passUnretained(body).toOpaque())
    pm_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
      guard body.bytes.count + size &* count <= UpstreamProbe.bodyLimit else { return 0 }
      body.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size &* count))
      return size &* count
    }
    let code = withExtendedLifetime(body) {
      guard let content else { return curl_easy_perform(easy) }
      return content.withUnsafeBufferPointer { bytes in
        pm_easy_set_off(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(bytes.count))
        pm_easy_set_pointer(easy, CURLOPT_POSTFIELDS, bytes.baseAddress)
        return curl_easy_perform(easy)
      }
    }
    guard code == CURLE_OK else { return nil }
    var status = 0
    pm_easy_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    return Answer(status: status, body: body.bytes)
  }
}
