import Wire

/// Who asks, and what stands beside the body: what rules may look at, and controls of clients that cannot add members to
/// the body.
public struct RequestSource: Sendable {
  /// Name of the client's key; empty when the listener is open.
  public var key = ""
  /// Of the header `X-Pointsman-Tags`, separated by commas.
  public var tags: [String] = []
  /// Of the header `X-Pointsman-Controls`: one JSON object with the members that the body could have.
  public var controls: RequestControls? {
    get { boxedControls?.value }
    set { boxedControls = newValue.map(BoxedControls.init) }
  }
  private var boxedControls: BoxedControls?
  /// A session's name.
  public var sessionID: String?
  /// Those header fields that rules look at, by their lower-case names.
  public var headers: [String: String] = [:]

  public init() {}

  /// The header fields that are read for the choice, in lower case. Those that name a session come in the order of how
  /// deliberate they are: OpenRouter's, those that agents' routers know, those that agents send by themselves.
  public static let fieldNames: [StaticString] = [
    "x-pointsman-controls", "x-pointsman-tags", "x-session-id", "x-clawrouter-session-id",
    "x-claude-code-session-id", "x-session-affinity", "session-id", "session_id",
  ]
  /// Bytes of a session's name at most (OpenRouter's bound); a longer one names none.
  private static let longestSession = 256

  /// Takes one header field.
  ///
  /// - Parameters:
  ///   - name: in lower case.
  ///   - wanted: the names of the fields that rules look at, in lower case.
  public mutating func take(_ name: String, _ value: String, wanted: [String]) throws(RequestError) {
    if wanted.contains(name), headers[name] == nil { headers[name] = value }
    switch name {
    case "x-pointsman-controls":
      controls = try RequestControls.parse(Array(value.utf8).span)
    case "x-pointsman-tags":
      tags = value.split(separator: ",").map { tag in
        String(tag.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      }
    default:
      let isSession = Self.fieldNames.dropFirst(2).contains { $0.description == name }
      if isSession, sessionID == nil, !value.isEmpty, value.utf8.count <= Self.longestSession { sessionID = value }
    }
  }
}
