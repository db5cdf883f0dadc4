import HTTP
import Loop
import Upstream
import Wire

/// A large request body on its way to a provider: the client's bytes where they lie, with the splices between them.
/// Belongs to one loop.
///
/// It keeps the connection until libcurl has let go of the transfer. The bytes may be given back before: a provider that
/// has answered already does not get the rest, and what the connection reads next is not for it.
final class SplicedBody: UpstreamBodySource {
  let length: Int
  private let connection: Connection
  private let generation: UInt64
  private let form: SentForm
  private var pieces: [RequestScan.Piece] = []
  private var piece = 0
  private var offset = 0

  /// Whether the last byte has been handed over: from then on the client's bytes are not needed.
  var isSent: Bool { piece == pieces.count }

  init(_ request: RequestScan, of connection: Connection, form: SentForm) {
    self.connection = connection
    generation = connection.bodyGeneration
    self.form = form
    length = form.length(of: request)
    request.forEachPiece(
      askUsage: true, dropping: form.dropping, tier: form.tier, extraMembers: !form.extraMembers.isEmpty
    ) { pieces.append($0) }
  }

  func read(into room: UnsafeMutableRawBufferPointer) -> Int? {
    var room = room
    let wanted = room.count
    while !room.isEmpty, piece < pieces.count {
      switch pieces[piece] {
      case .original(let range):
        let isThere = connection.body.withBytes { bytes in
          guard connection.bodyGeneration == generation, range.upperBound <= bytes.count else { return false }
          copy(UnsafeRawBufferPointer(rebasing: bytes[range]), &room)
          return true
        }
        if !isThere { return nil }
      case .model: form.model.withUnsafeBytes { copy($0, &room) }
      case .extraMembers: form.extraMembers.withUnsafeBytes { copy($0, &room) }
      case .text(let text): text.withUTF8Buffer { copy(UnsafeRawBufferPointer($0), &room) }
      }
    }
    return wanted - room.count
  }

  private func copy(_ bytes: UnsafeRawBufferPointer, _ room: inout UnsafeMutableRawBufferPointer) {
    let count = min(bytes.count - offset, room.count)
    room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
    room = UnsafeMutableRawBufferPointer(rebasing: room[count...])
    offset += count
    if offset == bytes.count {
      piece += 1
      offset = 0
    }
  }
}
