/// Numbers that depend on nothing but what they are asked for: the luck of a request at an endpoint is the same whoever
/// sends it there.
struct JudgeRandom: Sendable {
  private var state: UInt64

  init(_ parts: UInt64...) {
    state = 0x9e37_79b9_7f4a_7c15
    for part in parts { state = Self.mixed(state ^ part) }
  }

  /// SplitMix64 (Steele, Lea and Flood, 2014).
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// From 0 up to, but without, 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
