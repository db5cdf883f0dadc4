import Foundation
import Testing

@testable import Wire

/// Replays the seeds of the fuzz targets, and every input that once broke one.
@Suite struct FuzzCorpusTests {
  private func inputs(_ target: String) throws -> [URL] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fuzz/corpus/\(target)")
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
  }

  @Test(
    arguments: [
      ("RequestScanner", WireProperties.request), ("RequestControls", WireProperties.controls),
      ("AnswerQuality", WireProperties.quality),
      ("EventStreamFramer", WireProperties.eventStream),
      ("ChunkScan", WireProperties.chunk), ("ProviderError", WireProperties.providerError),
    ] as [(String, @Sendable ([UInt8]) -> String?)])
  func `the corpus of a fuzz target breaks nothing`(
    _ target: String, _ property: @Sendable ([UInt8]) -> String?
  ) throws {
    let inputs = try inputs(target)
    #expect(inputs.count >= 5)
    for input in inputs { #expect(property([UInt8](try Data(contentsOf: input))) == nil, "\(input.lastPathComponent)") }
  }
}
