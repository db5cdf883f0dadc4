/// A place in the text: line and column from 1, columns in Unicode scalars.
struct SourceMark: Sendable, Equatable {
  var line: Int
  var column: Int
}

/// A value of routes.yaml together with where it stands.
struct Located<Value> {
  let value: Value
  let mark: SourceMark
}

extension Located: Sendable where Value: Sendable {}

/// One node of the YAML document, with aliases already replaced by what they stand for.
struct YAMLNode {
  enum Content {
    /// Nothing, `~` or `null`.
    case empty
    case text(String)
    case list([YAMLNode])
    case map([YAMLEntry])
  }

  let content: Content
  let mark: SourceMark
  /// The number of nodes in it, itself included; aliases count with all that they stand for.
  let weight: Int
  /// The number of levels in it, 1 for text.
  let height: Int

  /// What a message calls it.
  var kind: String {
    switch content {
    case .empty: "nothing"
    case .text: "a single value"
    case .list: "a list"
    case .map: "a map"
    }
  }
}

/// One `key: value` of a map.
struct YAMLEntry {
  let key: String
  let mark: SourceMark
  let value: YAMLNode
}
