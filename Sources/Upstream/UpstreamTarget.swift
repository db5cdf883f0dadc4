import CCurl

/// Where requests of one endpoint go: address, fixed header fields, protocol. Belongs to one loop; made once and kept.
public final class UpstreamTarget {
  /// Parsed once: libcurl would take a text apart, and put it together again, for every request.
  let url: OpaquePointer?
  /// The header lines of a request with a large body, which begin with what keeps libcurl from waiting for "100 Continue"
  /// first: that would cost a round trip.
  let largeBodyHeaders: UnsafeMutablePointer<curl_slist>?
  /// The header lines of all others. libcurl goes through the list for each name that it would add by itself.
  var headers: UnsafeMutablePointer<curl_slist>? { largeBodyHeaders?.pointee.next }
  let resolve: UnsafeMutablePointer<curl_slist>?
  /// `host:port` of the name that `resolve` is about, and its addresses; `nil` for a literal address.
  let name: (hostAndPort: String, addresses: String)?
  let httpVersion: Int
  let caFile: String?
  let usesTLS: Bool
  /// Idle handles whose options are this target's already.
  var idleHandles: ContiguousArray<EasyHandle> = []

  /// - Parameters:
  ///   - url: absolute, http or https, as validated from the configuration.
  ///   - fields: header fields that every request to this target carries, the credential among them.
  ///   - addresses: `host:port:address,address` for libcurl, which never resolves names itself; `nil` for a literal
  ///     address.
  ///   - http2: speak HTTP/2 (by prior knowledge without TLS).
  ///   - caFile: PEM file of the authorities to trust instead of the system's.
  public init(
    url: String, fields: [(name: String, value: String)], addresses: String?, http2: Bool, caFile: String? = nil
  ) {
    self.url = curl_url()
    curl_url_set(self.url, CURLUPART_URL, url, 0)
    usesTLS = url.hasPrefix("https:")
    httpVersion =
      http2
      ? Int(usesTLS ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
      : Int(CURL_HTTP_VERSION_1_1)
    self.caFile = caFile
    var list: UnsafeMutablePointer<curl_slist>?
    list = curl_slist_append(list, "Expect:")
    // libcurl 7.88 formats header lines letter by letter: those that say nothing are left out.
    list = curl_slist_append(list, "Accept:")
    for field in fields { list = curl_slist_append(list, "\(field.name): \(field.value)") }
    largeBodyHeaders = list
    resolve = addresses.flatMap { curl_slist_append(nil, $0) }
    name = addresses.map { line in
      let parts = line.split(separator: ":", maxSplits: 2)
      return (parts.prefix(2).joined(separator: ":"), parts.count > 2 ? String(parts[2]) : "")
    }
  }

  /// Whether two such lines give the same addresses, in whatever order: resolvers let them take turns.
  public static func areSame(_ one: String?, _ other: String?) -> Bool {
    func parts(_ line: String?) -> [[Substring]] {
      line.map { $0.split(separator: ":", maxSplits: 2).map { $0.split(separator: ",").sorted() } } ?? []
    }
    return parts(one) == parts(other)
  }

  deinit {
    // Handles point at the lists and the address, so they go first.
    idleHandles.removeAll()
    curl_slist_free_all(largeBodyHeaders)
    curl_slist_free_all(resolve)
    curl_url_cleanup(url)
  }
}
