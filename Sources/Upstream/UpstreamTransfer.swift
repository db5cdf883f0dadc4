import CCurl
import Loop

/// One request to one endpoint and what libcurl knows of it. Belongs to one loop.
///
/// It owns its easy handle, body and callback context until `curl_multi_remove_handle` has returned.
public final class UpstreamTransfer {
  enum State {
    case waiting, running, over
  }

  let target: UpstreamTarget
  /// What is sent, when it is little: it leaves together with the head, in one write.
  private(set) var body = ByteBuffer()
  /// Where it is read, when it is much: it is not copied first.
  private(set) var source: (any UpstreamBodySource)?
  /// Milliseconds, TLS handshake included.
  let connectTimeout: Int
  /// Refuse pooled connections.
  let wantsFreshConnection: Bool
  /// Kept until the transfer is over.
  var observer: (any UpstreamObserver)?
  var state = State.waiting
  var handle: EasyHandle?
  unowned(unsafe) var client: CurlClient?
  unowned(unsafe) var multi: CurlMulti?
  var isPaused = false
  var wantsPause = false
  /// Requests sent on behalf of this transfer; a second one is refused.
  var sends = 0
  var responseBytes = 0
  /// Bytes of the body handed on in the round at hand: a provider that refills as fast as it is read must not hold the
  /// loop.
  var roundBytes = 0
  private var lastRound: UInt64 = 0
  static let roundLimit = 256 << 10
  var headers = ResponseHeaderReader()
  /// Why the response head was refused.
  var refusal: String?
  private var fields = ByteBuffer()
  private let nodes: UnsafeMutablePointer<curl_slist>

  /// - Parameters:
  ///   - attempt: the attempt's record id, sent as a UUID in `X-Pointsman-Attempt`.
  ///   - hop: how many routers of this kind the request has passed, this one included.
  ///   - body: the request body, when there is no `source`; the transfer takes it.
  ///   - source: where a large body is read.
  ///   - connectTimeout: milliseconds, TLS handshake included.
  public init(
    target: UpstreamTarget, attempt: (high: UInt64, low: UInt64), hop: Int, body: consuming ByteBuffer,
    source: (any UpstreamBodySource)?, connectTimeout: Int, wantsFreshConnection: Bool, observer: any UpstreamObserver
  ) {
    self.target = target
    self.body = body
    self.source = source
    self.connectTimeout = connectTimeout
    self.wantsFreshConnection = wantsFreshConnection
    self.observer = observer
    fields.append("X-Pointsman-Attempt: ")
    fields.append(uuid: attempt)
    fields.append(byte: 0)
    let second = fields.count
    fields.append("X-Pointsman-Hop: ")
    fields.append(decimal: hop)
    fields.append(byte: 0)
    nodes = .allocate(capacity: 2)
    let length = source?.length ?? self.body.count
    let shared = length > Self.waitFreeLimit ? target.largeBodyHeaders : target.headers
    // The text is not touched again, so it stays where it is for as long as the transfer lives.
    let text = fields.withBytes {
      UnsafeMutableRawPointer(mutating: $0.baseAddress)?.assumingMemoryBound(to: CChar.self)
    }
    (nodes + 1).initialize(to: curl_slist(data: text.map { $0 + second }, next: shared))
    // The attempt alone says that one router was passed; libcurl 7.88 formats header lines letter by letter.
    nodes.initialize(to: curl_slist(data: text, next: hop > 1 ? nodes + 1 : shared))
  }

  /// Up to here, and far beyond, libcurl sends a body without waiting for "100 Continue" first: it begins to at 1 MiB.
  private static let waitFreeLimit = 64 << 10

  deinit { nodes.deallocate() }

  /// The header list: two fields of this transfer's own in front of the target's.
  var headerList: UnsafeMutablePointer<curl_slist> { nodes }

  // MARK: - What libcurl hands over

  /// Copies the next bytes of a body that is read piece by piece; `nil` when they are gone.
  func sendBody(into room: UnsafeMutableRawBufferPointer) -> Int? {
    guard let source else { return 0 }
    return source.read(into: room)
  }

  /// Lets go of the body once libcurl has.
  func releaseBody() {
    body.removeAll()
    body.release()
    source = nil
  }

  /// Takes body bytes; false keeps them with libcurl until the transfer reads on.
  func receivedBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard case .running = state else { return true }
    if let client, client.round != lastRound {
      lastRound = client.round
      roundBytes = 0
    }
    if wantsPause || roundBytes >= Self.roundLimit {
      isPaused = true
      client?.throttle(self)
      return false
    }
    responseBytes += bytes.count
    roundBytes += bytes.count
    bytes.withMemoryRebound(to: UInt8.self) { observer?.received($0.span) }
    return true
  }

  /// Takes one header line; false refuses the response.
  func receivedHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard case .running = state else { return true }
    responseBytes += bytes.count
    switch bytes.withMemoryRebound(to: UInt8.self, { headers.read($0.span) }) {
    case .more:
      return true
    case .complete:
      observer?.received(headers.head)
      return true
    case .refused(let reason):
      refusal = reason
      return false
    }
  }
}
