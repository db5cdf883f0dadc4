import Foundation
import Testing

@Suite struct FuzzCorpusTests {
  static func inputs(_ target: String) throws -> [[UInt8]] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fuzz/corpus/\(target)")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return try files.sorted { $0.path < $1.path }.map { [UInt8](try Data(contentsOf: $0)) }
  }

  @Test(
    arguments: [("HTTPHead", FramingProperties.head), ("HTTPChunks", FramingProperties.chunkedBody)]
      as [(String, @Sendable ([UInt8]) -> String?)])
  func `The corpus of a fuzz target breaks nothing`(
    target: String, property: @Sendable ([UInt8]) -> String?
  ) throws {
    let inputs = try Self.inputs(target)
    #expect(inputs.count >= 5)
    for input in inputs { #expect(property(input) == nil, "\(input)") }
  }

  @Test func `Requests of the smuggling list keep the properties`() {
    for raw in SmugglingVectors.all {
      #expect(FramingProperties.head(Array(raw.utf8)) == nil, "\(raw)")
      #expect(FramingProperties.chunkedBody(Array(raw.utf8)) == nil, "\(raw)")
    }
    for body in SmugglingVectors.chunked + ChunkedBodyTests.valid {
      #expect(FramingProperties.chunkedBody(Array(body.utf8)) == nil, "\(body)")
    }
  }
}
