/// Finds a name among many by its bytes, without making a `String`: an open-addressing table, at most half full.
struct NameIndex: Sendable {
  /// Longer names are in no table; the bytes asked for come from a client.
  static let longestName = 512

  private let mask: Int
  /// Index of a name plus one; 0 is free.
  private let slots: [UInt32]
  /// Where each name ends in `bytes`; it begins where the one before ends.
  private let ends: [Int]
  private let bytes: [UInt8]

  /// Of equal names the first is found.
  init(_ names: some Collection<String>) {
    var size = 8
    while size < names.count * 2 { size *= 2 }
    let mask = size - 1
    var slots = [UInt32](repeating: 0, count: size)
    var ends: [Int] = []
    var bytes: [UInt8] = []
    ends.reserveCapacity(names.count)
    for (index, name) in names.enumerated() {
      var hash = FNV1a()
      hash.combine(name.utf8)
      var slot = Int(truncatingIfNeeded: hash.value) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = UInt32(index + 1)
      bytes.append(contentsOf: name.utf8)
      ends.append(bytes.count)
    }
    self.mask = mask
    self.slots = slots
    self.ends = ends
    self.bytes = bytes
  }

  /// The place of the name that has exactly these bytes.
  func find(_ name: Span<UInt8>) -> Int? {
    guard name.count <= Self.longestName else { return nil }
    var hash = FNV1a()
    for position in name.indices { hash.combine(name[position]) }
    var slot = Int(truncatingIfNeeded: hash.value) & mask
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if isName(index, name) { return index }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private func isName(_ index: Int, _ name: Span<UInt8>) -> Bool {
    let start = index == 0 ? 0 : ends[index - 1]
    guard ends[index] - start == name.count else { return false }
    for position in name.indices where bytes[start + position] != name[position] { return false }
    return true
  }
}
