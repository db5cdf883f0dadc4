/// Joins the text of an endpoint that goes on with an answer to the text that its client has got already. It is told
/// each text of the new attempt, until it is done, and says what becomes of it.
///
/// Two things stand at such a seam. The blanks at the end of what was delivered were not sent along, since chat
/// templates trim them away: an answer that begins with them, or with some of them, repeats them. And some servers
/// begin with the whole text that they were given. Whether one does is declared, not guessed: rulers and refrains go on with
/// what they were.
public struct Seam: Sendable {
  /// What becomes of an event's text.
  public enum Verdict: Sendable, Equatable {
    /// It goes to the client as it is.
    case forward
    /// Nothing of it goes to the client, for now at least.
    case drop
    /// This goes to the client in its stead.
    case replace(text: [UInt8])
  }

  private enum State {
    /// All that came is in `kept`, and is how one or both of the echoes begin.
    case echo(whole: Bool, trimmed: Bool)
    /// So many of the blanks have come.
    case blanks(Int)
    case done
  }

  private let delivered: [UInt8]
  /// Where the blanks at the end begin.
  private let end: Int
  /// Where the text without its blanks begins.
  private let start: Int
  private var kept: [UInt8] = []
  private var state: State

  /// - Parameters:
  ///   - delivered: the text that the client has got, of this answer and unescaped.
  ///   - echoes: the new attempt's server begins with the text that it was given.
  public init(delivered: [UInt8], echoes: Bool) {
    self.delivered = delivered
    end = delivered.span.countWithoutTrailingBlanks
    start = min(delivered.span.leadingBlanks, end)
    state = echoes && start < end ? .echo(whole: true, trimmed: true) : .blanks(0)
    if case .blanks = state, end == delivered.count { state = .done }
  }

  /// Whether all further texts are forwarded.
  public var isDone: Bool { if case .done = state { true } else { false } }

  /// Takes the next text of the new attempt.
  ///
  /// - Parameter isLast: no text will follow: what was kept back for being undecided is let go.
  public mutating func take(_ text: [UInt8], isLast: Bool = false) -> Verdict {
    if case .done = state { return .forward }
    var rest = text[...]
    var isWhole = true
    if case .echo(let whole, let trimmed) = state {
      isWhole = kept.isEmpty
      let from = kept.count
      kept += text
      let wholeFits = whole && fits(from, echoFrom: 0)
      let trimmedFits = trimmed && fits(from, echoFrom: start)
      if wholeFits, kept.count >= end {
        rest = kept[end...]
        isWhole = false
      } else if trimmedFits, kept.count >= end - start {
        rest = kept[(end - start)...]
        isWhole = false
      } else if wholeFits || trimmedFits, !isLast {
        state = .echo(whole: wholeFits, trimmed: trimmedFits)
        return .drop
      } else {
        rest = kept[...]
      }
      kept = []
      state = .blanks(0)
    }
    if case .blanks(var count) = state {
      while let byte = rest.first, end + count < delivered.count, delivered[end + count] == byte {
        rest.removeFirst()
        count += 1
        isWhole = false
      }
      state = rest.isEmpty && end + count < delivered.count && !isLast ? .blanks(count) : .done
    }
    if isWhole { return .forward }
    return rest.isEmpty ? .drop : .replace(text: Array(rest))
  }

  /// No text follows: the text that was kept back and belongs to the client; empty in most cases. To be asked before
  /// anything else than text is forwarded.
  public mutating func finish() -> [UInt8] {
    if case .replace(let text) = take([], isLast: true) { return text }
    return []
  }

  /// Whether what is kept, from an offset on, is how the delivered text goes on from `first`.
  private func fits(_ from: Int, echoFrom first: Int) -> Bool {
    var index = from
    while index < kept.count, first + index < end {
      guard kept[index] == delivered[first + index] else { return false }
      index += 1
    }
    return true
  }
}
