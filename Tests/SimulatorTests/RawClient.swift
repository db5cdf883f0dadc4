import Glibc

/// A blocking HTTP/1.1 client that hides nothing: what came, and how the connection went on.
final class RawClient {
  enum End { case complete, finish, reset, timeout, badFraming }

  struct Reply {
    var interim: [Int] = []
    var status = 0
    var fields: [(name: String, value: String)] = []
    /// Without the chunked framing.
    var body: [UInt8] = []
    var end = End.complete
    /// How many reads it took.
    var reads = 0

    func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }
    /// The payloads of a stream whose lines end in LF, comments left out.
    var events: [String] {
      text.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
    }
  }

  private let socket: Int32
  private var input: [UInt8] = []
  private var reads = 0

  init(port: Int, seconds: Int = 10) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
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

  struct Failure: Error { let text: String }

  func send(_ text: String) {
    let bytes = [UInt8](text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }

  /// Asks for one completion, and reads the answer.
  func complete(
    _ model: String, stream: Bool = false, path: String = "/v1/chat/completions", fields: String = "",
    members: String = "", prompt: String = "hello"
  ) -> Reply {
    let content =
      path.hasSuffix("/chat/completions")
      ? "\"messages\":[{\"role\":\"user\",\"content\":\"\(prompt)\"}]" : "\"prompt\":\"\(prompt)\""
    post(path, "{\"model\":\"\(model)\",\"stream\":\(stream),\(content)\(members)}", fields: fields)
    return readReply()
  }

  func post(_ path: String, _ body: String, fields: String = "") {
    send("POST \(path) HTTP/1.1\r\nHost: sim\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)")
  }

  /// Reads more.
  ///
  /// - Returns: how the connection ended, or `nil` when bytes came.
  private func fill() -> End? {
    var room = [UInt8](repeating: 0, count: 65536)
    let got = recv(socket, &room, room.count, 0)
    if got > 0 {
      input += room[..<got]
      reads += 1
      return nil
    }
    if got == 0 { return .finish }
    return errno == ECONNRESET ? .reset : .timeout
  }

  private func line() -> (text: String?, end: End?) {
    while true {
      if let at = input.firstIndex(of: 10) {
        var line = Array(input[..<at])
        input.removeSubrange(...at)
        if line.last == 13 { line.removeLast() }
        return (String(decoding: line, as: UTF8.self), nil)
      }
      if let end = fill() { return (nil, end) }
    }
  }

  /// Reads one response, interim ones included, or as much as there is of it.
  func readReply() -> Reply {
    reads = 0
    var reply = readOne()
    reply.reads = reads
    return reply
  }

  private func readOne() -> Reply {
    var reply = Reply()
    while true {
      let status = line()
      guard let text = status.text else {
        reply.end = status.end ?? .badFraming
        return reply
      }
      reply.status = Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0
      reply.fields = []
      while true {
        let field = line()
        guard let text = field.text else {
          reply.end = field.end ?? .badFraming
          return reply
        }
        if text.isEmpty { break }
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { continue }
        reply.fields.append((parts[0].lowercased(), String(parts[1].drop { $0 == " " })))
      }
      if reply.status >= 200 { break }
      reply.interim.append(reply.status)
    }
    if reply.field("transfer-encoding") == "chunked" {
      readChunks(&reply)
    } else if let length = reply.field("content-length").flatMap({ Int($0) }) {
      reply.end = take(length, &reply) ?? .complete
    } else {
      while true {
        reply.body += input
        input = []
        if let end = fill() {
          reply.end = end
          return reply
        }
      }
    }
    return reply
  }

  private func readChunks(_ reply: inout Reply) {
    while true {
      let size = line()
      guard let text = size.text else { return reply.end = size.end ?? .badFraming }
      guard let count = Int(text, radix: 16) else { return reply.end = .badFraming }
      if let end = take(count, &reply) { return reply.end = end }
      let rest = line()
      guard rest.text == "" else { return reply.end = rest.end ?? .badFraming }
      if count == 0 { return reply.end = .complete }
    }
  }

  private func take(_ count: Int, _ reply: inout Reply) -> End? {
    while input.count < count {
      if let end = fill() {
        reply.body += input
        input = []
        return end
      }
    }
    reply.body += input[..<count]
    input.removeFirst(count)
    return nil
  }
}

extension String {
  func components(separatedBy mark: String) -> [String] {
    var parts: [String] = []
    var rest = Substring(self)
    while let found = rest.firstRange(of: mark) {
      parts.append(String(rest[..<found.lowerBound]))
      rest = rest[found.upperBound...]
    }
    return parts + [String(rest)]
  }
}
