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
  /// The request that was given this ticket is over: its response has been put together whole, or its connection is
  /// closed. Called once for each ticket.
  func takeBack(ticket: Int)
}

extension RequestHandler {
  public func takeBack(ticket: Int) {}
}

/// Who is answering a request right now. Belongs to one loop.
public protocol Exchange: AnyObject {
  /// The client is gone; nothing more can be written.
  func clientLeft()
  /// The output that had piled up has been written down to the low mark.
  func outputDrained()
}

/// Bounds of the server side. What servers count together they are given together.
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
  /// Nanoseconds for the head of a surplus connection.
  public var surplusHeadTime: UInt64 = 2_000_000_000
  /// Connections of a server beyond the bound that are still read, so that they can be told, and health be asked for.
  public var surplusConnections = 256
  /// Bytes of all bodies that are being held.
  public var bodies = BoundedCount(bound: 1 << 30)
  public var connections = BoundedCount(bound: 20_000)
  /// Unwritten response bytes above which the upstream is paused, and below which it goes on.
  public var outputHigh = 96 << 10
  public var outputLow = 32 << 10
  /// Bytes that the kernel holds of a response before it has sent them: without this it would take megabytes for a client
  /// that reads slowly, and the upstream would be paused only after those.
  public var unsentInKernel: Int32 = 128 << 10

  public init() {}
}
