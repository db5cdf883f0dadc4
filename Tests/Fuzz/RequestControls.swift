// fuzz: module Wire
// fuzz: flags -I Sources/CScan/include
// fuzz: c Sources/CScan/scan.c
// fuzz: c Sources/CScan/hash.c
// fuzz: source Tests/WireTests/WireProperties.swift

/// Controls as a header or a preset holds them: nothing that comes through is out of its bounds.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = WireProperties.controls(Array(UnsafeBufferPointer(start: start, count: count))) { fatalError(broken) }
  return 0
}
