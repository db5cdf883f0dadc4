// fuzz: module Wire
// fuzz: flags -I Sources/CScan/include
// fuzz: c Sources/CScan/scan.c
// fuzz: c Sources/CScan/hash.c
// fuzz: source Tests/WireTests/WireProperties.swift

/// A stream of events: every way of cutting the bytes gives the same events.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = WireProperties.eventStream(Array(UnsafeBufferPointer(start: start, count: count))) {
    fatalError(broken)
  }
  return 0
}
