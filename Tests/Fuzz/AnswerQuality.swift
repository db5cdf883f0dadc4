// fuzz: module Wire
// fuzz: flags -I Sources/CScan/include
// fuzz: c Sources/CScan/scan.c
// fuzz: c Sources/CScan/hash.c
// fuzz: source Tests/WireTests/WireProperties.swift

/// `tools` on the first line, `response_format` on the second, chunks of the answer on the others: judged, whatever it is.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = WireProperties.quality(Array(UnsafeBufferPointer(start: start, count: count))) { fatalError(broken) }
  return 0
}
