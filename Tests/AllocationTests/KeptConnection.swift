import Glibc

/// A client of one kept connection that sends the same request over and over and checks each answer.
final class KeptConnection {
  private let socket: Int32
  private var room = [UInt8](repeating: 0, count: 64 << 10)

  struct Failure: Error { let text: String }

  init(port: Int) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code != 0 { throw Failure(text: "connect: \(errno)") }
  }

  deinit { close(socket) }

  /// A chat completion whose body has 1 KB.
  static func request(model: String, stream: Bool) -> [UInt8] {
    let start = #"{"model":"\#(model)","stream":\#(stream),"messages":[{"role":"user","content":""#
    let end = #""}]}"#
    let body = start + String(repeating: "word ", count: 200).prefix(1024 - start.utf8.count - end.utf8.count) + end
    let head =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(CountedLoop.key)\r\n"
      + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
    return Array((head + body).utf8)
  }

  /// Sends `request`, reads its answer to the end and checks it.
  ///
  /// - Parameters:
  ///   - end: the last bytes of the answer.
  ///   - events: how many events the answer must have; 0 for an answer that is not streamed.
  func exchange(_ request: [UInt8], end: String, events: Int) throws {
    guard Glibc.send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
      throw Failure(text: "send: \(errno)")
    }
    var answer: [UInt8] = []
    while !answer.suffix(end.utf8.count).elementsEqual(end.utf8) {
      let got = recv(socket, &room, room.count, 0)
      guard got > 0 else { throw Failure(text: "no whole answer: \(String(decoding: answer, as: UTF8.self))") }
      answer += room[..<got]
    }
    let text = String(decoding: answer, as: UTF8.self)
    guard text.hasPrefix("HTTP/1.1 200 ") else { throw Failure(text: text) }
    let found = text.utf8.indices.count { text.utf8[$0...].starts(with: "data: ".utf8) }
    guard found == events else { throw Failure(text: "\(found) events: \(text)") }
  }
}
