// fuzz: module Wire
// fuzz: flags -I Sources/CScan/include
// fuzz: c Sources/CScan/scan.c
// fuzz: c Sources/CScan/hash.c
// fuzz: source Tests/WireTests/WireProperties.swift

/// A request body: in pieces as in whole, and what is spliced from it scans to the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = WireProperties.request(Array(UnsafeBufferPointer(start: start, count: count))) { fatalError(broken) }
  return 0
}
