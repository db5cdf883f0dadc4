/// What a request's owner does with its connection. Belongs to one loop.
public protocol RequestHandler: AnyObject {
  /// A head has been read. The handler answers at once, or says how long a body may be.
  ///
  /// - Returns: the limit in bytes for the body, or `nil` when the handler has answered already.
  func receivedHead(_ connection: Connection) -> Int?
  /// More of the body is in `connection.body`.
  func receivedBody(_ connection: Connection)
  /// The request is whole; the handler owes it a response.
  func receivedRequest(_ connection: Connection)
  /// The response to a request whose framing was refused; the connection closes behind it.
  func refused(_ connection: Connection, _ refusal: FramingRefusal)
}

/// Who is answering a request right now. Belongs to one loop.
public protocol Exchange: AnyObject {
  /// The client is gone; nothing more can be written.
  func clientLeft()
  /// The output that had piled up has been written down to the low mark.
  func outputDrained()
}

/// Bounds of the server side, all per loop.
public struct ServerLimits: Sendable {
  /// Nanoseconds for a whole head, from its first byte (or from accepting).
  public var headTime: UInt64 = 10_000_000_000
  /// Nanoseconds that a body may stand still.
  public var bodyIdle: UInt64 = 30_000_000_000
  /// Nanoseconds for a whole body, and how many more each of its bytes gets: a byte now and then keeps nobody waiting
  /// for ever, and 64 KiB a second always suffice.
  public var bodyTime: UInt64 = 30_000_000_000
  public var bodyTimePerByte: UInt64 = 1_000_000_000 / (64 << 10)
  /// Nanoseconds that a connection may wait for its next request.
  public var keepAlive: UInt64 = 75_000_000_000
  /// Nanoseconds that a client may take nothing of its response.
  public var writeIdle: UInt64 = 60_000_000_000
  /// Bytes of all bodies that are being held.
  public var bodiesInAll = 512 << 20
  public var connections = 10_000
  /// Unwritten response bytes above which the upstream is paused, and below which it goes on.
  public var outputHigh = 256 << 10
  public var outputLow = 64 << 10

  public init() {}
}
