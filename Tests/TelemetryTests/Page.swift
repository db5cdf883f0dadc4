/// A strict reader of Prometheus' text format, version 0.0.4: each family once, typed, its lines together, each series
/// once.
struct Page {
  struct Malformed: Error { var line: String }
  struct Line {
    var name: String
    var labels: [String: String]
    var value: Double
  }

  private(set) var types: [String: String] = [:]
  private(set) var lines: [Line] = []

  init(_ text: String) throws {
    guard text.hasSuffix("\n") else { throw Malformed(line: "the last line does not end") }
    var family = ""
    var seen: Set<String> = []
    for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
      let malformed = Malformed(line: String(line))
      if line.hasPrefix("# HELP ") { continue }
      if line.hasPrefix("# TYPE ") {
        let parts = line.split(separator: " ")
        guard parts.count == 4, types[String(parts[2])] == nil else { throw malformed }
        family = String(parts[2])
        types[family] = String(parts[3])
        continue
      }
      let sample = try Self.line(line)
      let suffixes = types[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
      guard suffixes.contains(where: { sample.name == family + $0 }) else { throw malformed }
      let series = "\(sample.name) \(sample.labels.sorted { $0.key < $1.key })"
      guard seen.insert(series).inserted else { throw malformed }
      lines.append(sample)
    }
  }

  /// The sum of the lines of a name that have these labels.
  func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
    lines.filter { line in line.name == name && labels.allSatisfy { line.labels[$0.key] == $0.value } }
      .map(\.value).reduce(0, +)
  }

  private static func line(_ text: Substring) throws -> Line {
    let malformed = Malformed(line: String(text))
    func isNamed(_ character: Character) -> Bool {
      character.isASCII && (character.isLetter || character.isNumber || character == "_" || character == ":")
    }
    let name = text.prefix(while: isNamed)
    var rest = text.dropFirst(name.count)
    var labels: [String: String] = [:]
    if rest.first == "{" {
      rest = rest.dropFirst()
      while rest.first != "}" {
        let label = rest.prefix(while: isNamed)
        rest = rest.dropFirst(label.count)
        guard !label.isEmpty, rest.hasPrefix("=\"") else { throw malformed }
        rest = rest.dropFirst(2)
        var value = ""
        while let character = rest.popFirst(), character != "\"" {
          guard character == "\\" else {
            value.append(character)
            continue
          }
          switch rest.popFirst() {
          case "n": value.append("\n")
          case "\\": value.append("\\")
          case "\"": value.append("\"")
          default: throw malformed
          }
        }
        guard labels.updateValue(value, forKey: String(label)) == nil else { throw malformed }
        if rest.first == "," { rest = rest.dropFirst() } else if rest.first != "}" { throw malformed }
      }
      rest = rest.dropFirst()
    }
    guard !name.isEmpty, rest.popFirst() == " " else { throw malformed }
    let number = rest == "+Inf" ? "inf" : rest == "-Inf" ? "-inf" : String(rest)
    guard let value = Double(number) else { throw malformed }
    return Line(name: String(name), labels: labels, value: value)
  }
}
