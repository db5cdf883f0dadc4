/// Cuts `text/event-stream` bytes into events (WHATWG HTML section 9.2.6), whatever pieces they come in.
///
/// Lines end by CR LF, LF or CR; one leading byte order mark is dropped; comments and the fields `event`, `id` and
/// `retry` say nothing here; the `data` lines of one event are joined by LF. An event without data is none. An event
/// that lies whole in the bytes that are fed, with one `data` line, is handed out without copying and without
/// allocation; an event cut by the end of the bytes is kept until its rest comes.
public struct EventStreamFramer: Sendable {
  /// How many bytes one event may have, when nothing else is said: 16 MiB.
  public static let defaultEventLimit = 16 * 1024 * 1024

  /// Where the data of the event in progress stands.
  private enum Source {
    case none
    /// One `data` line, in the bytes of this call.
    case fed(Range<Int>)
    /// In `kept`, from this offset on.
    case kept(from: Int)
  }

  private let eventLimit: Int
  /// Data of the event in progress that is no longer in the bytes that are fed.
  private var kept: [UInt8] = []
  private var keptFrom: Int?
  /// A line whose end has not come yet.
  private var partialLine: [UInt8] = []
  private var dataLines = 0
  /// Bytes of the `data` lines of the event in progress, as they came.
  private var eventBytes = 0
  private var endsWithCR = false
  /// How much of a byte order mark has been seen; 3 once the stream is past its start.
  private var markBytes = 0

  public init(eventLimit: Int = EventStreamFramer.defaultEventLimit) { self.eventLimit = eventLimit }

  /// How many bytes are kept for an event that is not complete.
  var keptBytes: Int { kept.count + partialLine.count }

  /// Reads on, handing out each event that is complete.
  ///
  /// - Parameters:
  ///   - bytes: what came next.
  ///   - body: gets an event's data, valid during the call, and whether it was made of several lines; gives false to
  ///     stop, and then the rest of `bytes` is dropped.
  public mutating func feed(
    _ bytes: Span<UInt8>, _ body: (_ data: Span<UInt8>, _ isMultiLine: Bool) -> Bool
  ) throws(FramingError) {
    var position = 0
    if markBytes < 3, !skipMark(bytes, &position) { return }
    var source = keptFrom.map { Source.kept(from: $0) } ?? .none
    while position < bytes.count {
      if endsWithCR {
        endsWithCR = false
        if bytes[position] == 0x0a {
          position += 1
          continue
        }
      }
      guard let end = Self.lineEnd(bytes, from: position) else {
        try keepLine(bytes, from: position)
        break
      }
      endsWithCR = bytes[end] == 0x0d
      let line = position..<end
      position = end + 1
      if partialLine.isEmpty {
        if line.isEmpty {
          if !dispatch(bytes, source, body) { return }
          source = .none
        } else {
          try read(bytes, line, &source)
        }
      } else {
        try keepLine(bytes, from: line.lowerBound, to: end)
        finishKeptLine(bytes, &source)
      }
    }
    if case .fed(let range) = source { move(bytes, range, &source) }
    if case .kept(let from) = source { keptFrom = from } else { keptFrom = nil }
  }

  /// Ends the stream: data whose event was never closed by an empty line is handed out, for metering only (a client
  /// that follows the standard drops it).
  public mutating func finish(_ body: (_ data: Span<UInt8>, _ isMultiLine: Bool) -> Void) {
    var source = keptFrom.map { Source.kept(from: $0) } ?? .none
    let nothing = Span<UInt8>()
    if !partialLine.isEmpty { finishKeptLine(nothing, &source) }
    _ = dispatch(nothing, source) { data, isMultiLine in
      body(data, isMultiLine)
      return true
    }
  }

  // MARK: lines

  /// Drops a byte order mark at the start of the stream; false when the bytes end before that is decided.
  private mutating func skipMark(_ bytes: Span<UInt8>, _ position: inout Int) -> Bool {
    while markBytes < 3, position < bytes.count {
      guard bytes[position] == Self.mark(markBytes) else {
        for index in 0..<markBytes { partialLine.append(Self.mark(index)) }
        markBytes = 3
        return true
      }
      position += 1
      markBytes += 1
    }
    return markBytes == 3
  }

  private static func mark(_ index: Int) -> UInt8 { index == 0 ? 0xef : index == 1 ? 0xbb : 0xbf }

  /// Where the next CR or LF stands.
  @inline(__always)
  private static func lineEnd(_ bytes: Span<UInt8>, from first: Int) -> Int? {
    bytes.withJSONBytes { bytes in bytes.lineEnd(from: first) }
  }

  private mutating func keepLine(_ bytes: Span<UInt8>, from first: Int, to end: Int? = nil) throws(FramingError) {
    let piece = bytes.extracting(first..<(end ?? bytes.count))
    guard piece.count <= eventLimit - partialLine.count - eventBytes else {
      throw .eventTooLong(limit: eventLimit)
    }
    piece.withUnsafeBufferPointer { partialLine.append(contentsOf: $0) }
  }

  /// Reads a line that lies in the bytes of this call.
  @inline(__always)
  private mutating func read(
    _ bytes: Span<UInt8>, _ line: Range<Int>, _ source: inout Source
  ) throws(FramingError) {
    guard line.count <= eventLimit - eventBytes else { throw .eventTooLong(limit: eventLimit) }
    guard let value = bytes.withJSONBytes({ $0.dataValue(line) }) else { return }
    eventBytes += line.count
    dataLines += 1
    switch source {
    case .none: source = .fed(value)
    case .fed(let first):
      move(bytes, first, &source)
      fallthrough
    case .kept:
      kept.append(0x0a)
      bytes.extracting(value).withUnsafeBufferPointer { kept.append(contentsOf: $0) }
    }
  }

  /// Reads the line in `partialLine`, which is complete now.
  private mutating func finishKeptLine(_ bytes: Span<UInt8>, _ source: inout Source) {
    let line = partialLine
    partialLine = []
    guard let value = line.span.withJSONBytes({ $0.dataValue(0..<$0.count) }) else { return }
    eventBytes += line.count
    dataLines += 1
    switch source {
    case .none:
      kept = line
      source = .kept(from: value.lowerBound)
    case .fed(let first):
      move(bytes, first, &source)
      fallthrough
    case .kept:
      kept.append(0x0a)
      kept.append(contentsOf: line[value])
    }
  }

  /// Copies the one `data` line found so far, because its bytes go or more lines follow.
  private mutating func move(_ bytes: Span<UInt8>, _ range: Range<Int>, _ source: inout Source) {
    bytes.extracting(range).withUnsafeBufferPointer { kept = Array($0) }
    source = .kept(from: 0)
  }

  /// Hands out the event in progress, if it has data, and begins the next.
  @inline(__always)
  private mutating func dispatch(
    _ bytes: Span<UInt8>, _ source: Source, _ body: (Span<UInt8>, Bool) -> Bool
  ) -> Bool {
    let isMultiLine = dataLines > 1
    dataLines = 0
    eventBytes = 0
    switch source {
    case .none: return true
    case .fed(let range): return range.isEmpty || body(bytes.extracting(range), isMultiLine)
    case .kept(let from):
      let data = kept
      kept = []
      keptFrom = nil
      return from == data.count || body(data.span.extracting(from..<data.count), isMultiLine)
    }
  }
}

extension JSONBytes {
  /// Where the next CR or LF stands, at or after an offset.
  fileprivate func lineEnd(from first: Int) -> Int? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var index = first
    while index &+ 8 <= count {
      let word = word(at: index)
      let feed = word ^ (ones &* 0x0a)
      let carriage = word ^ (ones &* 0x0d)
      let stops = ((feed &- ones) & ~feed | (carriage &- ones) & ~carriage) & (ones &* 0x80)
      if stops != 0 { return index + stops.trailingZeroBitCount >> 3 }
      index &+= 8
    }
    while index < count {
      if self[index] == 0x0a || self[index] == 0x0d { return index }
      index += 1
    }
    return nil
  }

  /// Where the value of a `data` line stands; nil when the line is another field or a comment.
  fileprivate func dataValue(_ line: Range<Int>) -> Range<Int>? {
    guard line.count >= 4, equals(line.lowerBound..<line.lowerBound + 4, "data") else { return nil }
    var first = line.lowerBound + 4
    guard first < line.upperBound else { return first..<first }
    guard self[first] == UInt8(ascii: ":") else { return nil }
    first += 1
    if first < line.upperBound, self[first] == UInt8(ascii: " ") { first += 1 }
    return first..<line.upperBound
  }
}
