extension Endpoint {
  /// All that may differ from one table to the next while the file stays the same.
  func combine(into hash: inout FNV1a) {
    hash.combine(id.utf8)
    hash.combine(UInt8(0))
    hash.combine(Int64(bitPattern: price?.version ?? 0))
    for number in [Int64(context ?? -1), Int64(maxOutput ?? -1), traits.requestPrice, traits.imagePrice] {
      hash.combine(number)
    }
    for text in [traits.tag, traits.tier.rawValue, traits.quantization.rawValue, traits.region] {
      hash.combine((text ?? "").utf8)
      hash.combine(UInt8(0))
    }
    for flag in [traits.trains, traits.retains] { hash.combine(flag.map { $0 ? 1 : 0 } ?? UInt8(2)) }
    hash.combine(traits.parameters.map { Int64($0.rawValue) } ?? -1)
    hash.combine(traits.inputs.map { Int64($0.rawValue) } ?? -1)
    hash.combine(traits.priceStaleAt ?? -1)
    hash.combine(Int64(traits.concurrency ?? -1))
    hash.combine(traits.extraMembersJSON)
    hash.combine(UInt8(0))
    for override in traits.priceOverrides {
      hash.combine(UInt8(1))
      let window = override.window.map { Int64($0.from * 1_441 + $0.to) }
      for number in [
        override.minPromptTokens, window, override.input, override.cachedInput, override.cacheWrite, override.output,
      ] {
        hash.combine(number ?? -1)
      }
    }
  }
}
