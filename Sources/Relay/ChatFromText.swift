import Upstream
import Wire

/// Stands between an attempt and an endpoint that only continues text: the attempt gets the events of a chat. The client
/// asked for a chat, whose cut answer is carried on there. Belongs to one loop.
final class ChatFromText: UpstreamObserver {
  private let attempt: Attempt
  private var framer = EventStreamFramer()
  private var isStream = false

  init(_ attempt: Attempt) { self.attempt = attempt }

  func received(_ head: UpstreamHead) {
    isStream = head.status == 200 && head.content == .eventStream
    attempt.received(head)
  }

  func received(_ bytes: Span<UInt8>) {
    guard isStream else { return attempt.received(bytes) }
    var events: [UInt8] = []
    do throws(FramingError) {
      try framer.feed(bytes) { data, _ in
        Self.append(data, to: &events)
        events += "\n\n".utf8
        return true
      }
    } catch {
      if !attempt.isOver { attempt.fail(.badResponse, "one of its events is larger than 16 MiB") }
      return
    }
    attempt.received(events.span)
  }

  func ended(_ end: UpstreamEnd) {
    // An event without its closing empty line: its tokens are counted.
    var rest: [UInt8] = []
    framer.finish { data, _ in Self.append(data, to: &rest) }
    if !rest.isEmpty { attempt.received(rest.span) }
    attempt.ended(end)
  }

  private static func append(_ data: Span<UInt8>, to events: inout [UInt8]) {
    events += "data: ".utf8
    events += ChunkScan.chatChunk(data)
  }
}
