/// The judge's virtual clock: nanoseconds since its beginning, which is a minute after 0, so that 0 is never a moment.
enum JudgeTime {
  static let start: UInt64 = 60_000_000_000

  /// The moment that many seconds after the beginning.
  static func at(_ seconds: Double) -> UInt64 { start + span(seconds) }

  static func span(_ seconds: Double) -> UInt64 { UInt64(max(seconds, 0) * 1e9) }

  static func seconds(_ span: UInt64) -> Double { Double(span) / 1e9 }
}
