/// Reads what a provider says of its rate limits.
struct RateLimitReader {
  var requestsLeft: UInt64?
  var tokensLeft: UInt64?
  /// Nanoseconds.
  var requestsReset: UInt64?
  var tokensReset: UInt64?

  /// Nanoseconds until there is room again, when a limit is used up. A limit without a time to wait gets one second.
  var limitedFor: UInt64? {
    var longest: UInt64?
    if requestsLeft == 0 { longest = requestsReset ?? 1_000_000_000 }
    if tokensLeft == 0 { longest = max(longest ?? 0, tokensReset ?? 1_000_000_000) }
    return longest
  }

  /// A whole number; `nil` for anything else, and for one that does not fit.
  static func count(_ line: Span<UInt8>, _ start: Int, _ end: Int) -> UInt64? {
    var number: UInt64 = 0
    guard start < end else { return nil }
    for index in start..<end {
      guard line[index] >= 48, line[index] <= 57 else { return nil }
      let (product, overflows) = number.multipliedReportingOverflow(by: 10)
      let (sum, carries) = product.addingReportingOverflow(UInt64(line[index] - 48))
      if overflows || carries { return nil }
      number = sum
    }
    return number
  }

  /// `1s`, `6m0s`, `120ms`, `1h2m3.5s`, or seconds without a unit; nanoseconds, at most a day; `nil` for anything else,
  /// and for a number that is no length but a point in time (more than 10^9 seconds).
  static func duration(_ line: Span<UInt8>, _ start: Int, _ end: Int) -> UInt64? {
    let day: UInt64 = 86_400_000_000_000
    var total: UInt64 = 0
    var at = start
    guard start < end, end - start <= 32 else { return nil }
    while at < end {
      var number: UInt64 = 0
      var scale: UInt64 = 1
      var digits = 0
      var isFraction = false
      while at < end, line[at] == 46 || (line[at] >= 48 && line[at] <= 57) {
        if line[at] == 46 {
          if isFraction { return nil }
          isFraction = true
        } else if scale < 1_000_000 {
          if digits >= 12 { return nil }
          number = number * 10 + UInt64(line[at] - 48)
          if isFraction { scale *= 10 }
          digits += 1
        }
        at += 1
      }
      if digits == 0 { return nil }
      var unit: UInt64 = 1_000_000_000
      if at == end, number / scale > 1_000_000_000 { return nil }
      if at < end {
        switch line[at] {
        case UInt8(ascii: "h"): unit = 3_600_000_000_000
        case UInt8(ascii: "m"):
          if at + 1 < end, line[at + 1] == UInt8(ascii: "s") {
            unit = 1_000_000
            at += 1
          } else {
            unit = 60_000_000_000
          }
        case UInt8(ascii: "s"): break
        default: return nil
        }
        at += 1
      }
      let (product, overflows) = number.multipliedReportingOverflow(by: unit)
      total = overflows ? day : min(total + min(product / scale, day), day)
    }
    return total
  }
}
