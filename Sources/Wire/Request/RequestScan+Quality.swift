extension RequestScan {
  /// Whether the answer's quality can be told by more than its being there: the client offers tools, or wants JSON.
  public var asksForStructure: Bool {
    !parameters.isDisjoint(with: [.tools, .responseFormat, .structuredOutputs])
  }

  /// Copies of the values of `tools` and `response_format`, which the answer is judged by later.
  ///
  /// - Parameter body: the bytes that were scanned.
  /// - Returns: `nil` when together they are larger than 256 KiB.
  public func structureAsked(_ body: Span<UInt8>) -> (tools: [UInt8], responseFormat: [UInt8])? {
    let (tools, format) = (toolsRange, responseFormatRange)
    guard (tools?.count ?? 0) + (format?.count ?? 0) <= 256 << 10 else { return nil }
    func copy(_ range: Range<Int>?) -> [UInt8] {
      guard let range else { return [] }
      return body.extracting(range).withUnsafeBufferPointer { Array($0) }
    }
    return (copy(tools), copy(format))
  }
}
