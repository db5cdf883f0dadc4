/// Counts of values in buckets with fixed upper bounds, and their sum.
struct Histogram: Sendable, Equatable {
  /// Upper bounds, ascending; a value equal to a bound is within it. One bucket more than bounds: the last has none.
  let bounds: [Double]
  private(set) var counts: [UInt64]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  mutating func record(_ value: Double) {
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    counts[bucket] &+= 1
    sum += value
  }

  var count: UInt64 { counts.reduce(0, &+) }
}

/// Bounds that the OpenTelemetry conventions for generative AI advise
/// (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/).
enum Bounds {
  /// `gen_ai.client.token.usage`, tokens.
  static let tokens: [Double] = [
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864,
  ]
  /// `gen_ai.server.request.duration`, seconds.
  static let duration: [Double] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
  ]
  /// `gen_ai.server.time_to_first_token`, seconds.
  static let firstToken: [Double] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
  ]
}
