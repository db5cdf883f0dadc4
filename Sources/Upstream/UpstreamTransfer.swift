import CCurl
import Loop

#if canImport(Glibc)
  import Glibc
#endif

/// One request to one endpoint and what libcurl knows of it. Belongs to one loop.
///
/// It owns its easy handle, body and callback context until `curl_multi_remove_handle` has returned.
public final class UpstreamTransfer {
  enum State {
    case waiting, running, over
  }

  let target: UpstreamTarget
  var body = ByteBuffer()
  /// Milliseconds, TLS handshake included.
  let connectTimeout: Int
  /// Refuse pooled connections.
  let wantsFreshConnection: Bool
  /// Kept until the transfer is over.
  var observer: (any UpstreamObserver)?
  var state = State.waiting
  var easy: OpaqueHandle?
  var isPaused = false
  var wantsPause = false
  /// Requests sent on behalf of this transfer; a second one is refused.
  var sends = 0
  var responseBytes = 0
  var headers = ResponseHeaderReader()
  /// Why the response head was refused.
  var refusal: String?
  private let ownFields: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - attemptID: the text of the attempt's record id, sent as `X-Pointsman-Attempt`.
  ///   - hop: how many routers of this kind the request has passed, this one included.
  ///   - body: the request body; the transfer takes it.
  ///   - connectTimeout: milliseconds, TLS handshake included.
  public init(
    target: UpstreamTarget, attemptID: String, hop: Int, body: consuming ByteBuffer, connectTimeout: Int,
    wantsFreshConnection: Bool, observer: any UpstreamObserver
  ) {
    self.target = target
    self.body = body
    self.connectTimeout = connectTimeout
    self.wantsFreshConnection = wantsFreshConnection
    self.observer = observer
    ownFields = Self.makeFields("X-Pointsman-Attempt: \(attemptID)", "X-Pointsman-Hop: \(hop)", before: target.headers)
  }

  deinit { free(ownFields) }

  /// The header list: two fields of this transfer's own in front of the target's.
  var headerList: UnsafeMutablePointer<curl_slist> { ownFields.assumingMemoryBound(to: curl_slist.self) }

  private static func makeFields(
    _ first: String, _ second: String, before rest: UnsafeMutablePointer<curl_slist>?
  ) -> UnsafeMutableRawPointer {
    let node = MemoryLayout<curl_slist>.stride
    var first = first
    var second = second
    let sizes = (first.utf8.count, second.utf8.count)
    guard let block = malloc(2 * node + sizes.0 + sizes.1 + 2) else { fatalError("out of memory") }
    let texts = (block + 2 * node, block + 2 * node + sizes.0 + 1)
    first.withUTF8 {
      UnsafeMutableRawBufferPointer(start: texts.0, count: sizes.0).copyMemory(from: UnsafeRawBufferPointer($0))
    }
    second.withUTF8 {
      UnsafeMutableRawBufferPointer(start: texts.1, count: sizes.1).copyMemory(from: UnsafeRawBufferPointer($0))
    }
    texts.0.storeBytes(of: 0, toByteOffset: sizes.0, as: UInt8.self)
    texts.1.storeBytes(of: 0, toByteOffset: sizes.1, as: UInt8.self)
    let nodes = block.bindMemory(to: curl_slist.self, capacity: 2)
    (nodes + 1).initialize(to: curl_slist(data: texts.1.assumingMemoryBound(to: CChar.self), next: rest))
    nodes.initialize(to: curl_slist(data: texts.0.assumingMemoryBound(to: CChar.self), next: nodes + 1))
    return block
  }
}
