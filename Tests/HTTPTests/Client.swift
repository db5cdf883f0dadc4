import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A response as a client sees it.
struct Response: Equatable {
  var status = 0
  var fields: [String: String] = [:]
  var body = ""
  /// The pieces of a chunked body.
  var chunks: [String] = []
}

/// A client's socket on loopback: it sends at once and never waits.
final class Client {
  private var descriptor: Int32
  private(set) var received: [UInt8] = []
  private(set) var isAtEnd = false
  private(set) var wasReset = false

  struct Failure: Error {
    let code: Int32
  }

  init(port: Int, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var size = receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0 else { throw Failure(code: errno) }
    // Small pieces leave at once.
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var guardTime = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &guardTime, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close() }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// Sends what the socket takes.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBytes { max(Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)), 0) }
  }

  /// Sends what the socket takes without waiting.
  func offer(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.withUnsafeBytes {
      max(Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)), 0)
    }
  }

  /// Takes what has come.
  func receive(atMost limit: Int = 1 << 30) {
    var room = [UInt8](repeating: 0, count: 64 << 10)
    var total = 0
    while !isAtEnd, total < limit {
      let wanted = min(room.count, limit - total)
      let got = room.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, wanted, Int32(MSG_DONTWAIT)) }
      if got > 0 {
        received += room[..<got]
        total += got
      } else if got == 0 {
        isAtEnd = true
      } else {
        if errno != EAGAIN {
          isAtEnd = true
          wasReset = true
        }
        return
      }
    }
  }

  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  var text: String { String(decoding: received, as: UTF8.self) }

  /// How many responses have begun in all that came.
  var responseCount: Int {
    received.indices.count { received[$0] == UInt8(ascii: "H") && received[$0...].starts(with: "HTTP/1.1 ".utf8) }
  }

  /// Takes one whole response off what has been received.
  func takeResponse(bodiless: Bool = false) -> Response? {
    guard let headEnd = Self.find("\r\n\r\n", in: received[...]) else { return nil }
    let lines = String(decoding: received[..<headEnd], as: UTF8.self).split(separator: "\r\n")
    var response = Response()
    response.status = lines.first.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { return nil }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      response.fields[line[..<colon].lowercased()] = String(value)
    }
    var at = headEnd + 4
    if response.status == 100 || bodiless {
    } else if let length = response.fields["content-length"].flatMap({ Int($0) }) {
      guard received.count >= at + length else { return nil }
      response.body = String(decoding: received[at..<at + length], as: UTF8.self)
      at += length
    } else if response.fields["transfer-encoding"] == "chunked" {
      while true {
        guard let lineEnd = Self.find("\r\n", in: received[at...]),
          let size = Int(String(decoding: received[at..<lineEnd], as: UTF8.self), radix: 16),
          received.count >= lineEnd + 4 + size
        else { return nil }
        at = lineEnd + 4 + size
        if size == 0 { break }
        response.chunks.append(String(decoding: received[lineEnd + 2..<at - 2], as: UTF8.self))
      }
      response.body = response.chunks.joined()
    } else {
      guard isAtEnd else { return nil }
      response.body = String(decoding: received[at...], as: UTF8.self)
      at = received.count
    }
    received.removeFirst(at)
    return response
  }

  private static func find(_ mark: String, in bytes: ArraySlice<UInt8>) -> Int? {
    let mark = Array(mark.utf8)
    return bytes.indices.first { bytes[$0] == mark[0] && bytes[$0...].starts(with: mark) }
  }
}
