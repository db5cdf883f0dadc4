// fuzz: source Sources/HTTP/RequestHead.swift
// fuzz: source Sources/HTTP/Byte.swift
// fuzz: source Sources/HTTP/ChunkedBody.swift
// fuzz: source Tests/HTTPTests/FramingProperties.swift

/// A chunked body and what follows it: every way of cutting the bytes gives the same content and the same end.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = FramingProperties.chunkedBody(Array(UnsafeBufferPointer(start: start, count: count))) {
    fatalError(broken)
  }
  return 0
}
