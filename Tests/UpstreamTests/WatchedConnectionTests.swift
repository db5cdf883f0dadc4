import Glibc
import Testing

@testable import Upstream

@Suite struct WatchedConnectionTests {
  /// An option of the one socket in this process that is connected to a port.
  private static func option(_ level: Int32, _ name: Int32, port: Int32) -> Int32? {
    for descriptor in Int32(3)..<1024 {
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let isConnected = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
      }
      guard isConnected, Int32(UInt16(bigEndian: address.sin_port)) == port else { continue }
      var value: Int32 = -1
      var size = socklen_t(MemoryLayout<Int32>.size)
      return getsockopt(descriptor, level, name, &value, &size) == 0 ? value : nil
    }
    return nil
  }

  @Test func `a provider that vanishes without a FIN is noticed within twenty seconds`() throws {
    let provider = try AskedProvider()
    defer { provider.close() }
    provider.start(1, to: provider.target("watched.invalid"))
    #expect(provider.runs { provider.ends.count == 1 })
    let (tcp, port) = (Int32(IPPROTO_TCP), provider.port)
    #expect(Self.option(SOL_SOCKET, SO_KEEPALIVE, port: port) == 1)
    #expect(Self.option(tcp, TCP_KEEPIDLE, port: port) == 5)
    #expect(Self.option(tcp, TCP_KEEPINTVL, port: port) == 5)
    #expect(Self.option(tcp, TCP_KEEPCNT, port: port) == 3)
    #expect(Self.option(tcp, TCP_USER_TIMEOUT, port: port) == 10_000)
  }
}
