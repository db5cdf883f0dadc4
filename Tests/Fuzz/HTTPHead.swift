// fuzz: source Sources/HTTP/RequestHead.swift
// fuzz: source Sources/HTTP/Byte.swift
// fuzz: source Sources/HTTP/ChunkedBody.swift
// fuzz: source Tests/HTTPTests/FramingProperties.swift

/// One request head: what is taken has one meaning, and keeps it when it is written again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  if let broken = FramingProperties.head(Array(UnsafeBufferPointer(start: start, count: count))) { fatalError(broken) }
  return 0
}
