// fuzz: module Wire
// fuzz: flags -I Sources/CScan/include
// fuzz: c Sources/CScan/scan.c
// fuzz: c Sources/CScan/hash.c
// fuzz: source Tests/WireTests/WireProperties.swift

/// An error body of any bytes: never a trap, never a control character.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = WireProperties.providerError(Array(UnsafeBufferPointer(start: start, count: count))) {
    fatalError(broken)
  }
  return 0
}
