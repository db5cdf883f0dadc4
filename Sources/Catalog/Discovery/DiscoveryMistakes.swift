/// Collects what is wrong with a provider's list; bounded, so that a list of a million bad entries has an end.
struct DiscoveryMistakes {
  /// An entry by its place in the list and its id, where it has one.
  struct Entry {
    var place: Int
    let list: StaticString
    var id: String?

    var description: String { "\(list)[\(place)]" + (id.map { " " + Wording.quoted($0) } ?? "") }
  }

  static let most = 100

  private var lines: [String] = []
  private var uncounted = 0
  /// What is the same for many entries is one line.
  private var remarks: [(text: String, first: String, count: Int)] = []

  /// Something wrong with the list as a whole: never left out.
  mutating func add(_ text: String) {
    remarks.append((text, "", 1))
  }

  mutating func add(_ entry: Entry, _ text: @autoclosure () -> String) {
    guard lines.count < Self.most else {
      uncounted += 1
      return
    }
    lines.append("\(entry.description): \(text())")
  }

  /// Something to know that may hold for many entries.
  mutating func remark(_ entry: Entry, _ text: String) {
    if let place = remarks.firstIndex(where: { $0.text == text }) {
      remarks[place].count += 1
    } else {
      remarks.append((text, entry.description, 1))
    }
  }

  /// The remarks first, at most `most` lines in all, and behind them how many more there are.
  var all: [String] {
    var all = remarks.map { remark in
      if remark.first.isEmpty { return remark.text }
      return remark.first + ": " + remark.text + (remark.count > 1 ? " (and for \(remark.count - 1) more)" : "")
    }
    let kept = lines.prefix(max(0, Self.most - all.count))
    let more = uncounted + lines.count - kept.count
    all += kept
    if more > 0 { all.append("\(more) more mistakes") }
    return all
  }
}
