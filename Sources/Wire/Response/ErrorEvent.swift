/// The event that ends a stream after content has gone out: the status stays 200, so the error travels in the stream,
/// with a `finish_reason` that is never `stop`.
public struct ErrorEvent: Sendable {
  /// The HTTP status that the error would have had.
  public var code: Int
  public var message: String
  /// OpenRouter's vocabulary: `rate_limit_exceeded`, `provider_unavailable`, `timeout` …
  public var errorType: String
  /// The provider's own word for the error.
  public var providerCode: String?

  public init(code: Int, message: String, errorType: String, providerCode: String? = nil) {
    self.code = code
    self.message = message
    self.errorType = errorType
    self.providerCode = providerCode
  }

  /// The event's data.
  ///
  /// - Parameter unfinished: the indexes of the choices that have not ended; each ends by this event.
  public func data(_ kind: RequestKind, identity: ChunkIdentity, unfinished: [Int]) -> [UInt8] {
    var output: [UInt8] = [UInt8(ascii: "{")]
    identity.appendMembers(object: kind.chunkObject, to: &output)
    JSONText.appendVerbatim(#","error":{"code":"#, to: &output)
    JSONText.append(code, to: &output)
    JSONText.appendVerbatim(#","message":"#, to: &output)
    JSONText.append(message, to: &output)
    JSONText.appendVerbatim(#","metadata":{"error_type":"#, to: &output)
    JSONText.append(errorType, to: &output)
    if let providerCode {
      JSONText.appendVerbatim(#","provider_code":"#, to: &output)
      JSONText.append(providerCode, to: &output)
    }
    JSONText.appendVerbatim(#","provider_name":"#, to: &output)
    output += identity.provider
    JSONText.appendVerbatim(#"}},"choices":["#, to: &output)
    for (place, index) in unfinished.enumerated() {
      if place > 0 { output.append(UInt8(ascii: ",")) }
      JSONText.appendVerbatim(#"{"index":"#, to: &output)
      JSONText.append(index, to: &output)
      switch kind {
      case .chatCompletions: JSONText.appendVerbatim(#","delta":{"content":""},"finish_reason":"error"}"#, to: &output)
      case .completions: JSONText.appendVerbatim(#","text":"","finish_reason":"error"}"#, to: &output)
      }
    }
    JSONText.appendVerbatim("]}", to: &output)
    return output
  }
}
