import Testing

@testable import Wire

@Suite struct SeamTests {
  /// What the client gets of a resumed answer that comes in these pieces.
  private func joined(_ delivered: String, _ pieces: [String], echoes: Bool = false) -> String {
    var seam = Seam(delivered: Array(delivered.utf8), echoes: echoes)
    var output = Array(delivered.utf8)
    for piece in pieces {
      switch seam.take(Array(piece.utf8)) {
      case .forward: output += Array(piece.utf8)
      case .drop: break
      case .replace(let text): output += text
      }
    }
    output += seam.finish()
    return String(decoding: output, as: UTF8.self)
  }

  /// Cuts a text at random characters.
  private func pieces(_ text: Substring, _ random: inout SeededRandom) -> [String] {
    var rest = text.unicodeScalars[...]
    var pieces: [String] = []
    while !rest.isEmpty {
      let piece = rest.prefix(Int.random(in: 1...9, using: &random))
      pieces.append(String(piece))
      rest = rest.dropFirst(piece.count)
    }
    return pieces
  }

  static let texts = [
    "The lamp turns. Then the train rolls on,\n\n and\nthe  guard waits.\n",
    " leads with a blank, and ends so too \n\n",
    "\n\nZwei Gleisanschlüsse 駅 線路 🚂\u{3000}und weiter\u{a0}\u{2003} so",
    "a\n \n\n\n b\t\tc    d \u{85}e and some more",
    "x", "  ", "aaaa bbbb cccc dddd \n\n\n eeee",
  ]

  @Test(arguments: texts) func `whatever the split, the pieces and the echo, the joined text is the uncut one`(
    _ text: String
  ) {
    var random = SeededRandom(3)
    let scalars = text.unicodeScalars
    for index in scalars.indices + [scalars.endIndex] {
      let delivered = String(text[..<index])
      let bytes = Array(delivered.utf8)
      let end = bytes.span.countWithoutTrailingBlanks
      let sent = String(decoding: bytes[..<end], as: UTF8.self)
      let rest = text[index...]
      let blanks = String(decoding: bytes[end...], as: UTF8.self)
      let core = String(decoding: bytes[min(bytes.span.leadingBlanks, end)..<end], as: UTF8.self)
      var answers = [(blanks + rest, false)]
      if !core.isEmpty { answers += [(sent + blanks + rest, true), (core + blanks + rest, true)] }
      for (answer, echoes) in answers {
        #expect(joined(delivered, [answer], echoes: echoes) == text)
        #expect(joined(delivered, answer.unicodeScalars.map { String($0) }, echoes: echoes) == text)
        for _ in 0..<20 { #expect(joined(delivered, pieces(answer[...], &random), echoes: echoes) == text) }
      }
    }
  }

  @Test func `an answer that begins otherwise than with the blanks loses nothing`() {
    #expect(joined("Hello \n", ["World"]) == "Hello \nWorld")
    #expect(joined("Hello \n", [" ", "World"]) == "Hello \nWorld")
    #expect(joined("Hello \n", ["\n", "World"]) == "Hello \n\nWorld")
    #expect(joined("Hello", [" World"]) == "Hello World")
  }

  @Test func `an answer that begins as an echo and is none loses nothing`() {
    let delivered = "The train leaves the yard. "
    func joined(_ pieces: String...) -> String { self.joined(delivered, pieces, echoes: true) }
    #expect(joined("The train", " leaves", " later") == delivered + "The train leaves later")
    // It ends while it is still undecided.
    #expect(joined("The train", " leaves") == delivered + "The train leaves")
    #expect(joined(" ", "The train") == delivered + "The train")
  }

  @Test func `what repeats itself is no echo unless the server is known to have one`() {
    #expect(joined("ha ha ha", [" ha ha ha", " end"]) == "ha ha ha ha ha ha end")
    #expect(joined("====================", ["====================", "\n"]) == String(repeating: "=", count: 40) + "\n")
    #expect(joined("Hello Bob", ["Hello Bob, hi"], echoes: true) == "Hello Bob, hi")
  }

  @Test func `texts are forwarded as they are once the seam is done`() {
    var plain = Seam(delivered: Array("Hello".utf8), echoes: false)
    #expect(plain.isDone)
    #expect(plain.take(Array("!".utf8)) == .forward)
    var seam = Seam(delivered: Array("The train leaves the yard".utf8), echoes: true)
    #expect(!seam.isDone)
    #expect(seam.take(Array(" at".utf8)) == .forward)
    #expect(seam.isDone)
    var held = Seam(delivered: Array("The train leaves the yard".utf8), echoes: true)
    #expect(held.take(Array("The ".utf8)) == .drop)
    #expect(!held.isDone)
    #expect(held.take(Array("whistle".utf8)) == .replace(text: Array("The whistle".utf8)))
    #expect(held.isDone && held.finish().isEmpty)
  }

  @Test func `the last text lets go of what was kept`() {
    var seam = Seam(delivered: Array("The train leaves the yard".utf8), echoes: true)
    #expect(seam.take(Array("The ".utf8)) == .drop)
    #expect(seam.take(Array("train".utf8), isLast: true) == .replace(text: Array("The train".utf8)))
  }
}
