/// The words of the answers: the same for the same seed, whoever gives them, and plainly labelled as simulated.
enum SimulatedText {
  /// How each answer begins.
  static let opening: [StaticString] = [
    "This", " is", " a", " simulated", " answer", ":", " no", " model", " was", " asked", ".",
  ]

  private static let words: [StaticString] = [
    " signal", " points", " track", " lever", " train", " yard", " siding", " junction", " platform", " whistle",
    " lamp", " rail", " sleeper", " ballast", " bridge", " tunnel", " engine", " wagon", " carriage", " driver",
    " guard", " station", " timetable", " morning", " evening", " slow", " fast", " left", " right", " north",
    " south", " ahead", " behind", " under", " over", " clear", " steady", " waits", " passes", " turns", " rolls",
    " stops", " leaves", " arrives", " carries", " couples", " shunts", " climbs", " and", " then", " while", " where",
  ]

  /// Characters of two, three and four bytes.
  private static let foreign: [StaticString] = [
    " Weiche", " Gleisanschluß", " señal", " vía", " żelazna", " дорога", " σήμα", " 駅", " 線路", " 기차", " 🚂", " 🛤️",
  ]

  /// One token of an answer: JSON string content that needs no escaping.
  static func token(_ index: Int, seed: UInt64, isForeign: Bool) -> StaticString {
    if index < opening.count { return opening[index] }
    if index % 12 == 10 { return "." }
    let drawn = mix(seed &+ UInt64(truncatingIfNeeded: index) &* 0x9e37_79b9_7f4a_7c15)
    let list = isForeign ? foreign : words
    return list[Int(drawn % UInt64(list.count))]
  }

  /// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
