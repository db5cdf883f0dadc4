/// The parameters' names by the hash that the scanner makes of each key: most keys are told apart by one look.
struct ParameterNames: Sendable {
  static let shared = ParameterNames()

  /// The bit of the name that belongs at each place, plus 1; the place is the hash's upper part.
  private var slots = [UInt8](repeating: 0, count: 256)
  private let hashes: [UInt64]

  private init() {
    let hashes = ParameterSet.names.map { name in
      name.utf8.reduce(RequestScanner.hashStart) { RequestScanner.hash($0, $1) }
    }
    self.hashes = hashes
    for (bit, hash) in hashes.enumerated() {
      // Both have a meaning of their own, by what `response_format` holds.
      guard ![.responseFormat, .structuredOutputs].contains(ParameterSet(rawValue: 1 << UInt32(bit))) else { continue }
      var slot = Int(hash >> 56)
      while slots[slot] != 0 { slot = (slot + 1) & 255 }
      slots[slot] = UInt8(bit + 1)
    }
  }

  func parameter(_ bytes: JSONBytes, _ member: RequestScanner.Member) -> ParameterSet {
    var slot = Int(member.hash >> 56)
    while slots[slot] != 0 {
      let bit = Int(slots[slot]) - 1
      if hashes[bit] == member.hash,
        JSONUnescaped(bytes, member.key).elementsEqual(ParameterSet.names[bit].utf8)
      {
        return ParameterSet(rawValue: 1 << UInt32(bit))
      }
      slot = (slot + 1) & 255
    }
    return []
  }
}
