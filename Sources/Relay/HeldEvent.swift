import Wire

/// One event kept for a moment: its bytes and what was found in them.
struct HeldEvent {
  let data: [UInt8]
  let scan: ChunkScan
  let isMultiLine: Bool

  init(_ data: Span<UInt8>, _ scan: ChunkScan, isMultiLine: Bool) {
    self.isMultiLine = isMultiLine
    self.data = data.withUnsafeBufferPointer { Array($0) }
    self.scan = scan
  }
}
