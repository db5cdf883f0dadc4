// fuzz: module Wire
// fuzz: flags -I Sources/CScan/include
// fuzz: c Sources/CScan/scan.c
// fuzz: c Sources/CScan/hash.c
// fuzz: source Tests/WireTests/WireProperties.swift

/// One event's data: what is rewritten from it scans, and says the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = WireProperties.chunk(Array(UnsafeBufferPointer(start: start, count: count))) { fatalError(broken) }
  return 0
}
