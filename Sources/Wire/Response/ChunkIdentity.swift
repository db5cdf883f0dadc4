/// What a completion calls itself towards the client, in every chunk: prepared once, as JSON.
public struct ChunkIdentity: Sendable {
  /// A JSON string, quotes included.
  public let id: [UInt8]
  /// Seconds since 1970, as digits.
  public let created: [UInt8]
  /// A JSON string: the model as the client knows it.
  public let model: [UInt8]
  /// A JSON string: who answered.
  public let provider: [UInt8]

  /// - Parameter created: seconds since 1970.
  public init(id: String, created: Int64, model: String, provider: String) {
    self.id = JSONText.quoted(id)
    self.created = Array(String(created).utf8)
    self.model = JSONText.quoted(model)
    self.provider = JSONText.quoted(provider)
  }

  /// From bytes that were prepared earlier: `id`, `model` and `provider` as JSON strings, `created` as digits.
  public init(id: [UInt8], created: [UInt8], model: [UInt8], provider: [UInt8]) {
    self.id = id
    self.created = created
    self.model = model
    self.provider = provider
  }

  /// Appends `"id":…,"object":…,"created":…,"model":…,"provider":…` without braces.
  func appendMembers(object: StaticString, to output: inout [UInt8]) {
    JSONText.appendVerbatim(#""id":"#, to: &output)
    output += id
    JSONText.appendVerbatim(#","object":""#, to: &output)
    JSONText.appendVerbatim(object, to: &output)
    JSONText.appendVerbatim(#"","created":"#, to: &output)
    output += created
    JSONText.appendVerbatim(#","model":"#, to: &output)
    output += model
    JSONText.appendVerbatim(#","provider":"#, to: &output)
    output += provider
  }
}
