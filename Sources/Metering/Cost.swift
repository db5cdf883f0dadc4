import Catalog
import Wire

/// What tokens cost, exact.
public enum Cost {
  /// Nano-USD of a usage at a price in pico-USD per token: summed in 128 bits, rounded half-even once at the end.
  ///
  /// `cachedInput` and `cacheWrite` are parts of `input`, as in OpenAI's `usage`; parts beyond the whole are cut to it. A
  /// part without a price of its own costs the input price. `reasoning` is part of `output`. Returns nil when input or
  /// output is unknown, a count is negative, or the result does not fit an `Int64`.
  ///
  /// - Parameter fixed: pico-USD for the request and its images, beside the tokens.
  public static func nanoUSD(_ usage: TokenUsage, price: Price, fixed: Int64 = 0) -> Int64? {
    guard let input = usage.input, let output = usage.output, input >= 0, output >= 0 else { return nil }
    let cached = min(usage.cachedInput ?? 0, input)
    let written = min(usage.cacheWrite ?? 0, input - max(cached, 0))
    guard cached >= 0, written >= 0 else { return nil }

    let parts: [(Int64, Int64)] = [
      (input - cached - written, price.input),
      (cached, price.cachedInput ?? price.input),
      (written, price.cacheWrite ?? price.input),
      (output, price.output),
    ]
    // Four products of 63 bits each fit 128 bits with room to spare.
    var pico = Int128(fixed)
    for (tokens, each) in parts { pico += Int128(tokens) * Int128(each) }
    return roundedHalfEven(pico)
  }

  /// Thousandths, rounded to the nearest whole; a tie goes to the even neighbour.
  private static func roundedHalfEven(_ pico: Int128) -> Int64? {
    let (quotient, remainder) = pico.quotientAndRemainder(dividingBy: 1_000)
    let away: Int128 = pico < 0 ? -1 : 1
    let size = remainder.magnitude
    let roundsAway = size > 500 || (size == 500 && quotient % 2 != 0)
    return Int64(exactly: roundsAway ? quotient + away : quotient)
  }
}
