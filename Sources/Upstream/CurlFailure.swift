import CCurl

/// Turns libcurl's result codes into the router's words.
enum CurlFailure {
  static func end(of transfer: UpstreamTransfer, easy: OpaqueHandle, code: CURLcode) -> UpstreamEnd {
    var connects = 0
    pm_easy_get_long(easy, CURLINFO_NUM_CONNECTS, &connects)
    let reused = connects == 0 || transfer.sends > 1
    if let refusal = transfer.refusal {
      return UpstreamEnd(failure: .badResponse, message: refusal, reusedConnection: reused)
    }
    if code == CURLE_OK { return UpstreamEnd(reusedConnection: reused) }
    // libcurl gathers a header line before it hands it on, and has no other word for one that is too long.
    if code == CURLE_OUT_OF_MEMORY, transfer.sends > 0, !transfer.headers.isComplete {
      return UpstreamEnd(failure: .badResponse, message: "the response head is too large", reusedConnection: reused)
    }
    return UpstreamEnd(
      failure: failure(code, transfer, reused), message: String(cString: curl_easy_strerror(code)),
      reusedConnection: reused)
  }

  private static func failure(_ code: CURLcode, _ transfer: UpstreamTransfer, _ reused: Bool) -> UpstreamEnd.Failure {
    // A body that lies elsewhere is only gone back to for a second sending, so the connection was a re-used one.
    if transfer.responseBytes == 0, reused || code == CURLE_SEND_FAIL_REWIND {
      switch code {
      case CURLE_ABORTED_BY_CALLBACK, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_SEND_FAIL_REWIND,
        CURLE_HTTP2, CURLE_HTTP2_STREAM:
        return .staleConnection
      default:
        break
      }
    }
    switch code {
    case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
      return .connect
    case CURLE_OPERATION_TIMEDOUT:
      return transfer.sends == 0 ? .connectTimeout : .other
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
      return .tls
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_HTTP2, CURLE_HTTP2_STREAM:
      return .truncated
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_WRITE_ERROR:
      return .badResponse
    default:
      return .other
    }
  }
}
