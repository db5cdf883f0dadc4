/// Reads the members of a request that speak of the choice, one after the other. What a member must not be is an error
/// that names it.
struct ControlsReading {
  typealias Value = (kind: JSONKind, range: Range<Int>)

  /// How many models, slugs and quantizations a list may have.
  static let listLimit = 64
  /// How long a slug or a preset's name may be, in bytes.
  static let slugLimit = 128
  /// How long a session's identity may be, in Unicode scalars.
  static let sessionLimit = 256

  let bytes: JSONBytes
  private(set) var controls = RequestControls()
  private var routePartition: Bool?
  private var cacheKey: String?

  init(_ bytes: JSONBytes) { self.bytes = bytes }

  /// One JSON object whose members are those of a body that speak of the choice.
  static func readObject(_ bytes: JSONBytes) throws(RequestError) -> RequestControls {
    var reading = ControlsReading(bytes)
    var cursor = JSONCursor(bytes, depthLimit: RequestScanner.depthLimit)
    do throws(JSONFault) {
      guard try cursor.peek() == UInt8(ascii: "{") else { throw JSONFault(.expectedValue, at: cursor.position) }
      _ = try cursor.value()
      try cursor.finish()
    } catch {
      throw RequestError(
        .invalidJSON, nil, "The controls are not one JSON object: \(error.what) at byte \(error.offset).")
    }
    let whole = (kind: JSONKind.object, range: bytes.blankEnd(from: 0)..<bytes.count)
    for (name, value) in try reading.members(of: whole, "") {
      guard let routed = controlKeys.first(where: { "\($0.name)" == name }) else {
        throw reading.unknown(name, "", controlKeys.map { "\($0.name)" }, at: value.range.lowerBound)
      }
      try reading.read(routed, value)
    }
    return reading.finish()
  }

  private static let controlKeys: [RoutedKey] = [
    .models, .provider, .route, .sessionID, .promptCacheKey, .serviceTier, .preset,
  ]

  /// Reads one member; those that do not speak of the choice are passed over.
  mutating func read(_ key: RoutedKey, _ value: Value) throws(RequestError) {
    if value.kind == .null { return }
    switch key {
    case .models: controls.models = try models(value)
    case .provider: try readProvider(value)
    case .route:
      routePartition = try choice(value, "route", [("fallback", false), ("sort", true)])
    case .sessionID: controls.sessionID = try session(value, "session_id")
    case .promptCacheKey where value.range.count > 2 || value.kind != .string:
      cacheKey = try session(value, "prompt_cache_key")
    case .serviceTier:
      controls.serviceTier = try choice(
        value, "service_tier", ServiceTier.allCases.map { ($0.rawValue, $0) } + [("fast", .priority)])
    case .preset:
      let name = try text(value, "preset", limit: Self.slugLimit)
      controls.preset = name.hasPrefix("@preset/") ? String(name.dropFirst(8)) : name
      if controls.preset?.isEmpty == true { throw .wrongType("preset", "a preset's name", value.range.lowerBound) }
    default: break
    }
  }

  /// What was read, where several members speak of one thing.
  func finish() -> RequestControls {
    var result = controls
    result.sessionID = controls.sessionID ?? cacheKey
    result.sortsAcrossModels = controls.sortsAcrossModels ?? routePartition
    return result
  }

  // MARK: provider

  private mutating func readProvider(_ value: Value) throws(RequestError) {
    for (name, value) in try members(of: value, "provider") {
      let param = "provider.\(name)"
      guard Self.providerKeys.contains(name) else {
        throw unknown(name, "provider", Self.providerKeys, at: value.range.lowerBound)
      }
      if value.kind == .null { continue }
      switch name {
      case "order": controls.order = try slugs(value, param)
      case "only": controls.only = try slugs(value, param)
      case "ignore": controls.ignore = try slugs(value, param)
      case "allow_fallbacks": controls.allowFallbacks = try boolean(value, param)
      case "require_parameters": controls.requireParameters = try boolean(value, param)
      case "data_collection":
        controls.deniesDataCollection = try choice(value, param, [("allow", false), ("deny", true)])
      case "zdr": controls.zeroDataRetention = try boolean(value, param)
      case "enforce_distillable_text": controls.distillableOnly = try boolean(value, param)
      case "quantizations":
        for (index, item) in try elements(of: value, param, "quantizations").enumerated() {
          let all = Quantization.allCases.map { ($0.rawValue, $0) }
          controls.quantizations.insert(try choice(item, "\(param)[\(index)]", all))
        }
      case "sort": try readSort(value)
      case "preferred_min_throughput": controls.preferredMinThroughput = try percentiles(value, param)
      case "preferred_max_latency": controls.preferredMaxLatency = try percentiles(value, param)
      default: controls.maxPrice = try maxPrice(value)
      }
    }
  }

  private static let providerKeys = [
    "order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr",
    "enforce_distillable_text", "quantizations", "sort", "preferred_min_throughput", "preferred_max_latency",
    "max_price",
  ]

  private static let sortKeys = RequestControls.SortKey.allCases.map { ($0.rawValue, $0) }

  private mutating func readSort(_ value: Value) throws(RequestError) {
    guard value.kind == .object else {
      controls.sort = try choice(value, "provider.sort", Self.sortKeys)
      return
    }
    for (name, value) in try members(of: value, "provider.sort") {
      switch name {
      case "by" where value.kind == .null, "partition" where value.kind == .null: break
      case "by": controls.sort = try choice(value, "provider.sort.by", Self.sortKeys)
      case "partition":
        controls.sortsAcrossModels = try choice(value, "provider.sort.partition", [("model", false), ("none", true)])
      default: throw unknown(name, "provider.sort", ["by", "partition"], at: value.range.lowerBound)
      }
    }
  }

  private func percentiles(_ value: Value, _ param: String) throws(RequestError) -> RequestControls.PercentileBounds? {
    var bounds = RequestControls.PercentileBounds()
    guard value.kind == .object else {
      bounds.p50 = try bound(value, param, "a number, or an object of p50, p75, p90 and p99")
      return bounds
    }
    for (name, value) in try members(of: value, param) {
      let part: WritableKeyPath<RequestControls.PercentileBounds, Double?>
      switch name {
      case "p50": part = \.p50
      case "p75": part = \.p75
      case "p90": part = \.p90
      case "p99": part = \.p99
      default: throw unknown(name, param, ["p50", "p75", "p90", "p99"], at: value.range.lowerBound)
      }
      if value.kind != .null { bounds[keyPath: part] = try bound(value, "\(param).\(name)", "a number") }
    }
    return bounds == RequestControls.PercentileBounds() ? nil : bounds
  }

  private func bound(_ value: Value, _ param: String, _ expected: String) throws(RequestError) -> Double {
    guard value.kind == .number else { throw .wrongType(param, expected, value.range.lowerBound) }
    let number = Double(written(value.range)) ?? .infinity
    guard number >= 0, number <= 1e9 else {
      throw RequestError(
        .outOfRange, param, "`\(param)` must be from 0 to 1000000000 (byte \(value.range.lowerBound)).")
    }
    return number
  }

  private func maxPrice(_ value: Value) throws(RequestError) -> RequestControls.MaxPrice? {
    var price = RequestControls.MaxPrice()
    for (name, value) in try members(of: value, "provider.max_price") {
      let part: WritableKeyPath<RequestControls.MaxPrice, Int64?>
      // USD per million tokens is 10^6 pico-USD a token; USD a request or an image is 10^12 pico-USD.
      var decimals = 6
      switch name {
      case "prompt": part = \.prompt
      case "completion": part = \.completion
      case "audio": part = \.audio
      case "request": (part, decimals) = (\.request, 12)
      case "image": (part, decimals) = (\.image, 12)
      default:
        throw unknown(
          name, "provider.max_price", ["prompt", "completion", "request", "image", "audio"],
          at: value.range.lowerBound)
      }
      if value.kind == .null { continue }
      price[keyPath: part] = try amount(value, "provider.max_price.\(name)", decimals)
    }
    return price == RequestControls.MaxPrice() ? nil : price
  }

  /// A number, or a string that holds one, times a power of ten; half is rounded up.
  private func amount(_ value: Value, _ param: String, _ decimals: Int) throws(RequestError) -> Int64 {
    let range: Range<Int>
    switch value.kind {
    case .number: range = value.range
    case .string: range = value.range.lowerBound + 1..<value.range.upperBound - 1
    default: throw .wrongType(param, "an amount in USD, as a number or a string", value.range.lowerBound)
    }
    guard let decimal = DecimalText(bytes, range) else {
      throw .wrongType(param, "an amount in USD, as a number or a string", value.range.lowerBound)
    }
    guard !decimal.isNegative, let amount = decimal.scaled(by: decimals) else {
      throw RequestError(
        .outOfRange, param,
        "`\(param)` must not be negative or above what can be paid (byte \(value.range.lowerBound)).")
    }
    return amount
  }
}
