import Wire

/// Record layout, version 1. Kind 1 is an open record, kind 2 a settle record; fields follow in the order below.
extension JournalRecord {
  private static let openedKind: UInt8 = 1
  private static let settledKind: UInt8 = 2

  static func write(_ record: AttemptOpened, to writer: inout ByteCursor) {
    writer.integer(openedKind)
    writer.id(record.id)
    writer.id(record.completion)
    writer.integer(record.unixMilliseconds)
    writer.integer(record.attempt)
    writer.integer(record.reason.rawValue)
    writer.integer(record.streamed ? UInt8(1) : 0)
    writer.integer(record.priceVersion)
    writer.integer(record.promptBytes)
    writer.name(record.key)
    writer.name(record.route)
    writer.name(record.rule)
    writer.name(record.model)
    writer.name(record.provider)
    writer.name(record.endpoint)
  }

  static func write(_ record: AttemptSettled, to writer: inout ByteCursor) {
    writer.integer(settledKind)
    writer.id(record.id)
    writer.integer(record.outcome.rawValue)
    writer.integer(record.failure.rawValue)
    writer.integer(record.inputSource.rawValue)
    writer.integer(record.outputSource.rawValue)
    writer.integer(record.flags.rawValue)
    writer.integer(record.observedOutput)
    writer.integer(record.priceVersion)
    writer.integer(record.duration)
    writer.integer(record.isFinal ? UInt8(1) : 0)
    // One bit for each value that is known, then those values.
    let usage = record.usage
    var known: UInt8 = 0
    if usage.input != nil { known |= 1 }
    if usage.output != nil { known |= 2 }
    if usage.cachedInput != nil { known |= 4 }
    if usage.cacheWrite != nil { known |= 8 }
    if usage.reasoning != nil { known |= 16 }
    if record.cost != nil { known |= 32 }
    if record.timeToFirstToken != nil { known |= 64 }
    if record.httpStatus != nil { known |= 128 }
    writer.integer(known)
    if let value = usage.input { writer.integer(value) }
    if let value = usage.output { writer.integer(value) }
    if let value = usage.cachedInput { writer.integer(value) }
    if let value = usage.cacheWrite { writer.integer(value) }
    if let value = usage.reasoning { writer.integer(value) }
    if let value = record.cost { writer.integer(value) }
    if let value = record.timeToFirstToken { writer.integer(value) }
    if let value = record.httpStatus { writer.integer(value) }
  }

  /// Nil when the bytes are no record of this version.
  init?(from reader: inout ByteReader, _ lanes: LaneCache) {
    switch reader.integer(UInt8.self) {
    case Self.openedKind:
      guard let record = Self.opened(from: &reader, lanes) else { return nil }
      self = .opened(record)
    case Self.settledKind:
      guard let record = Self.settled(from: &reader) else { return nil }
      self = .settled(record)
    default:
      return nil
    }
  }

  private static func opened(from reader: inout ByteReader, _ lanes: LaneCache) -> OpenRecord? {
    guard let id = reader.id(), let completion = reader.id(), let time = reader.integer(UInt64.self),
      let attempt = reader.integer(UInt16.self),
      let reason = reader.integer(UInt8.self).flatMap(AttemptReason.init(rawValue:)),
      let streamed = reader.integer(UInt8.self), let priceVersion = reader.integer(UInt64.self),
      let promptBytes = reader.integer(UInt64.self), let lane = reader.lane(lanes)
    else { return nil }
    var record = AttemptOpened(id: id, completion: completion, unixMilliseconds: time)
    record.attempt = attempt
    record.reason = reason
    record.streamed = streamed != 0
    record.priceVersion = priceVersion
    record.promptBytes = promptBytes
    return OpenRecord(unnamed: record, lane: lane)
  }

  private static func settled(from reader: inout ByteReader) -> AttemptSettled? {
    guard let id = reader.id(), let outcome = reader.integer(UInt8.self).flatMap(Outcome.init(rawValue:)),
      let failure = reader.integer(UInt8.self).flatMap(FailureClass.init(rawValue:)),
      let inputSource = reader.integer(UInt8.self).flatMap(TokenSource.init(rawValue:)),
      let outputSource = reader.integer(UInt8.self).flatMap(TokenSource.init(rawValue:)),
      let flags = reader.integer(UInt16.self), let observed = reader.integer(Int64.self),
      let priceVersion = reader.integer(UInt64.self), let duration = reader.integer(UInt64.self),
      let isFinal = reader.integer(UInt8.self), let known = reader.integer(UInt8.self)
    else { return nil }
    var record = AttemptSettled(id: id, outcome: outcome)
    record.failure = failure
    record.inputSource = inputSource
    record.outputSource = outputSource
    record.flags = UsageFlags(rawValue: flags)
    record.observedOutput = observed
    record.priceVersion = priceVersion
    record.duration = duration
    record.isFinal = isFinal != 0

    var isWhole = true
    func value<T: FixedWidthInteger & BitwiseCopyable>(_ bit: UInt8, _ type: T.Type) -> T? {
      guard known & bit != 0 else { return nil }
      let value = reader.integer(type)
      if value == nil { isWhole = false }
      return value
    }
    record.usage.input = value(1, Int64.self)
    record.usage.output = value(2, Int64.self)
    record.usage.cachedInput = value(4, Int64.self)
    record.usage.cacheWrite = value(8, Int64.self)
    record.usage.reasoning = value(16, Int64.self)
    record.cost = value(32, Int64.self)
    record.timeToFirstToken = value(64, UInt64.self)
    record.httpStatus = value(128, UInt16.self)
    return isWhole ? record : nil
  }
}
