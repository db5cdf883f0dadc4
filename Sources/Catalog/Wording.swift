/// How messages quote and suggest.
enum Wording {
  /// `text` in quotes on one line, shortened, with control characters made visible.
  static func quoted(_ text: String) -> String {
    var result = "\""
    var count = 0
    for scalar in text.unicodeScalars {
      guard count < 80 else {
        result += "…"
        break
      }
      count += 1
      if scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The one of `known` that `text` was probably meant to be; `nil` when none is near.
  static func nearest(to text: String, among known: some Sequence<String>) -> String? {
    let wanted = Array(text.unicodeScalars.prefix(65))
    guard wanted.count <= 64 else { return nil }
    var best: String?
    var bestDistance = max(1, wanted.count / 3) + 1
    for name in known where name != text {
      let scalars = Array(name.unicodeScalars.prefix(65))
      guard scalars.count <= 64, abs(scalars.count - wanted.count) < bestDistance else { continue }
      let distance = editDistance(wanted, scalars)
      if distance < bestDistance {
        best = name
        bestDistance = distance
      }
    }
    return best
  }

  /// The number of insertions, deletions, substitutions and swaps of neighbours that lead from one to the other
  /// (optimal string alignment).
  static func editDistance(_ one: [Unicode.Scalar], _ other: [Unicode.Scalar]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...other.count)
    for line in one.indices {
      var row = [line + 1]
      for column in other.indices {
        let isSame = one[line] == other[column]
        var best = min(last[column + 1] + 1, row[column] + 1, last[column] + (isSame ? 0 : 1))
        if line > 0, column > 0, one[line] == other[column - 1], one[line - 1] == other[column] {
          best = min(best, beforeLast[column - 1] + 1)
        }
        row.append(best)
      }
      (beforeLast, last) = (last, row)
    }
    return last[other.count]
  }

  /// `a, b or c`.
  static func choice(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.first ?? "" }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }
}
