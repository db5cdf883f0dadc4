/// Bytes that are read piece by piece, from inside libcurl's callback: it must only copy. Belongs to one loop.
public protocol UpstreamBodySource: AnyObject {
  /// How many bytes there are in all.
  var length: Int { get }
  /// Copies the next bytes.
  ///
  /// - Returns: how many; 0 at the end; `nil` when the rest is gone, which ends the transfer and its connection.
  func read(into room: UnsafeMutableRawBufferPointer) -> Int?
}
