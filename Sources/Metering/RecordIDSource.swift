/// Makes the ids of one loop: each is greater than the one before, also within a millisecond and when the clock goes back
/// (RFC 9562, 6.2, method 2). Belongs to one thread.
public struct RecordIDSource {
  private var random: Xoshiro256
  private var last = RecordID(high: 0, low: 0)

  /// Seeded from the system's randomness.
  public init() {
    var system = SystemRandomNumberGenerator()
    random = Xoshiro256(seed: (system.next(), system.next(), system.next(), system.next() | 1))
  }

  /// Repeatable ids, for tests and simulations.
  public init(seed: UInt64) {
    random = Xoshiro256(seed: (seed, 0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03, 1))
    for _ in 0..<16 { _ = random.next() }
  }

  /// The next id, for a time in Unix milliseconds.
  public mutating func next(unixMilliseconds: UInt64) -> RecordID {
    if unixMilliseconds & 0xFFFF_FFFF_FFFF > last.unixMilliseconds {
      last = .make(unixMilliseconds: unixMilliseconds, random: &random)
      return last
    }
    // The same millisecond, or an earlier one: count on from the last id by a random step.
    let step = (random.next() & 0xFFFF_FFFF) + 1
    let low = (last.low & 0x3FFF_FFFF_FFFF_FFFF) + step
    let carry = low >> 62
    let high = (last.high & 0x0FFF) + carry
    let time = last.unixMilliseconds + (high >> 12)
    last = RecordID(unixMilliseconds: time, randomHigh: high, randomLow: low)
    return last
  }
}

/// xoshiro256** 1.0 (Blackman and Vigna, https://prng.di.unimi.it): fast, no system call. Ids are not secrets.
struct Xoshiro256: RandomNumberGenerator {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  /// Not all four words may be zero.
  init(seed: (UInt64, UInt64, UInt64, UInt64)) { state = seed }

  mutating func next() -> UInt64 {
    func rotated(_ value: UInt64, _ by: UInt64) -> UInt64 { value << by | value >> (64 - by) }
    let result = rotated(state.1 &* 5, 7) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = rotated(state.3, 45)
    return result
  }
}
