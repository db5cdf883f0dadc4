import CScan

/// What is learnt of `messages` and `tools` while the scanner passes over them: media, signatures, cache markers, and
/// who the conversation is.
///
/// A conversation's hash is made of the texts in its leading messages, in order: every string but those under `type`,
/// `role` and the cache markers. So it does not change when a client moves a marker, and turns `"content":"x"` into a
/// list of one part for it. Of `tools` the bytes are hashed, without the markers.
struct PromptReading: Sendable {
  /// Strings above this length under `url`, `data` and `file_data` are media, in bytes.
  static let mediaThreshold = 512
  /// How many leading messages, and markers in `tools`, are looked at.
  static let leadingLimit = 64
  /// Of each long text only this much at its beginning and at its end is hashed, in bytes.
  static let window = 12_288
  /// The same, for the texts behind the first long ones of a message.
  static let smallWindow = 256

  /// The keys that are looked for.
  private enum Name {
    case other, role, type, cacheMarker, image, audio, file, video, payload, signature

    init(_ bytes: JSONBytes, _ key: Range<Int>, isEscaped: Bool) {
      self = .other
      if isEscaped {
        let text = JSONUnescaped(bytes, key)
        self = Self.names.first { text.equals($0.0) }?.1 ?? .other
        return
      }
      switch key.count {
      case 3 where bytes.equals(key, "url"): self = .payload
      case 4:
        if bytes.equals(key, "type") { self = .type }
        if bytes.equals(key, "role") { self = .role }
        if bytes.equals(key, "data") { self = .payload }
        if bytes.equals(key, "file") { self = .file }
      case 9:
        if bytes.equals(key, "image_url") { self = .image }
        if bytes.equals(key, "video_url") { self = .video }
        if bytes.equals(key, "file_data") { self = .payload }
        if bytes.equals(key, "signature") { self = .signature }
      case 11 where bytes.equals(key, "input_audio"): self = .audio
      case 13 where bytes.equals(key, "cache_control"): self = .cacheMarker
      case 17 where bytes.equals(key, "thought_signature"): self = .signature
      case 23 where bytes.equals(key, "prompt_cache_breakpoint"): self = .cacheMarker
      default: break
      }
    }

    private static let names: [(StaticString, Name)] = [
      ("type", .type), ("role", .role), ("cache_control", .cacheMarker), ("url", .payload), ("image_url", .image),
      ("data", .payload), ("file", .file), ("file_data", .payload), ("signature", .signature),
      ("thought_signature", .signature), ("input_audio", .audio), ("video_url", .video),
      ("prompt_cache_breakpoint", .cacheMarker),
    ]
  }

  private static let mediaKeys: [StaticString] = [
    "image_url", "input_audio", "file", "video_url", "cache_control", "prompt_cache_breakpoint", "signature",
    "thought_signature", "type", "url", "data", "file_data",
  ]
  static let inMessages = KeyWatch(mediaKeys)
  static let inLeadingMessages = KeyWatch(mediaKeys + ["role"])
  static let inTools = KeyWatch(["cache_control", "prompt_cache_breakpoint"])

  private(set) var modalities: InputModalities = []
  private(set) var mediaCount = 0
  private(set) var mediaBytes = 0
  private(set) var hasReasoningSignatures = false
  private(set) var hasCacheMarkers = false
  /// Whether the messages up to the first that is not the system's are still being read.
  private(set) var isLeading = true
  private var isInTools = false

  private var pending = Name.other
  /// The depth of the key of the marker that is being passed over.
  private var markerDepth = Int.max
  /// Where the markers in `tools` begin: behind the quotes of their keys.
  private var toolMarkers: [Int] = []

  private var messageHash: UInt64 = 0
  private var messageBudget = PromptReading.window * 2
  private var messageIsSystem = false
  private var systemCount = 0
  private var systemHash: UInt64 = 0
  private var systemBytes = 0
  private var firstHash: UInt64 = 0

  /// The value of `messages` or `tools` begins.
  mutating func begin(tools: Bool) {
    isInTools = tools
    pending = .other
    markerDepth = .max
  }

  /// A key; true when its value is to be told of.
  mutating func key(_ bytes: JSONBytes, _ key: Range<Int>, isEscaped: Bool, depth: Int) -> Bool {
    if depth > markerDepth { return false }
    markerDepth = .max
    let name = Name(bytes, key, isEscaped: isEscaped)
    switch name {
    case .other: pending = .other
    case .cacheMarker where isInTools:
      // Deeper there are the names of a function's own parameters.
      guard depth <= 4 else { return false }
      if toolMarkers.count < Self.leadingLimit { toolMarkers.append(key.lowerBound) }
      pending = name
    case _ where isInTools: return false
    case .role: pending = depth == 3 ? name : .other
    case .image, .audio, .file, .video: pending = depth == 5 ? name : .other
    case .payload, .type: pending = depth >= 5 ? name : .other
    case .signature, .cacheMarker: pending = name
    }
    return pending != .other
  }

  mutating func value(_ bytes: JSONBytes, _ range: Range<Int>, _ kind: JSONKind, depth: Int) {
    if depth > markerDepth { return }
    markerDepth = .max
    let name = pending
    pending = .other
    let text = kind == .string ? range.lowerBound + 1..<range.upperBound - 1 : 0..<0
    switch name {
    case .cacheMarker:
      if kind != .null { hasCacheMarkers = true }
      // Behind the leading messages nothing in a marker is taken for something else.
      if isLeading, !isInTools { markerDepth = depth }
      return
    case .role:
      messageIsSystem = kind == .string && Self.isSystem(bytes, text)
      return
    case .type:
      if kind == .string, Self.isEncrypted(bytes, text) { hasReasoningSignatures = true }
      return
    case .signature: if !text.isEmpty { hasReasoningSignatures = true }
    case .image: add(.image, kind)
    case .audio: add(.audio, kind)
    case .file: add(.file, kind)
    case .video: add(.video, kind)
    case .payload, .other: break
    }
    switch name {
    case .image, .audio, .file, .video, .payload: if text.count > Self.mediaThreshold { mediaBytes += text.count }
    default: break
    }
    if isLeading, !isInTools, kind == .string { addToHash(bytes, text) }
  }

  private mutating func add(_ modality: InputModalities, _ kind: JSONKind) {
    guard kind != .null else { return }
    modalities.insert(modality)
    mediaCount += 1
  }

  private static func isSystem(_ bytes: JSONBytes, _ text: Range<Int>) -> Bool {
    if bytes.equals(text, "user") { return false }
    return JSONUnescaped(bytes, text).equals("system") || JSONUnescaped(bytes, text).equals("developer")
  }

  private static func isEncrypted(_ bytes: JSONBytes, _ text: Range<Int>) -> Bool {
    text.count >= 19 && JSONUnescaped(bytes, text).equals("reasoning.encrypted")
  }

  // MARK: the conversation

  private mutating func addToHash(_ bytes: JSONBytes, _ text: Range<Int>) {
    let window = messageBudget > 0 ? Self.window : Self.smallWindow
    messageBudget -= text.count
    messageHash = Self.hash(bytes, text, window: window, seed: messageHash)
  }

  /// An element of `messages` has ended.
  mutating func endMessage(_ range: Range<Int>) {
    guard isLeading else { return }
    if messageIsSystem, systemCount < Self.leadingLimit {
      systemCount += 1
      systemBytes += range.count
      systemHash = Self.mixed(systemHash, messageHash)
    } else {
      firstHash = messageHash
      isLeading = false
    }
    messageHash = 0
    messageIsSystem = false
    messageBudget = Self.window * 2
  }

  /// - Parameter tools: where the value of `tools` stands, if it is there.
  func conversation(_ bytes: JSONBytes, tools: Range<Int>?) -> ConversationHash {
    let toolsHash = tools.map { hashOfTools(bytes, $0) } ?? 0
    let shared = Self.mixed(toolsHash, systemHash)
    return ConversationHash(
      sharedPrefix: shared, conversation: Self.mixed(shared, firstHash),
      sharedPrefixBytes: (tools?.count ?? 0) + systemBytes)
  }

  private static func mixed(_ first: UInt64, _ second: UInt64) -> UInt64 {
    var pair = (first, second)
    return withUnsafeBytes(of: &pair) { pair in
      pair.withMemoryRebound(to: UInt8.self) { bytes in
        bytes.baseAddress.map { pm_hash($0, bytes.count, 0) } ?? 0
      }
    }
  }

  private static func hash(_ bytes: JSONBytes, _ range: Range<Int>, window: Int, seed: UInt64) -> UInt64 {
    let start = bytes.start + range.lowerBound
    guard range.count > 2 * window else { return pm_hash(start, range.count, seed) }
    let head = pm_hash(start, window, seed ^ UInt64(range.count))
    return pm_hash(start + range.count - window, window, head)
  }

  /// The bytes of `tools` without its markers and the comma that parts each from its neighbour.
  private func hashOfTools(_ bytes: JSONBytes, _ tools: Range<Int>) -> UInt64 {
    guard !toolMarkers.isEmpty else { return Self.hash(bytes, tools, window: Self.window, seed: 0) }
    var rest: [UInt8] = []
    rest.reserveCapacity(tools.count)
    var position = tools.lowerBound
    for key in toolMarkers where key > position {
      var cursor = JSONCursor(bytes, position: key - 1, depthLimit: RequestScanner.depthLimit)
      guard (try? cursor.key()) != nil, let value = try? cursor.value().range else { continue }
      var (first, end) = (key - 1, value.upperBound)
      while first > position, bytes[first - 1] <= 0x20 { first -= 1 }
      if first > position, bytes[first - 1] == UInt8(ascii: ",") {
        first -= 1
      } else {
        first = key - 1
        let next = bytes.blankEnd(from: end)
        if next < tools.upperBound, bytes[next] == UInt8(ascii: ",") { end = bytes.blankEnd(from: next + 1) }
      }
      rest.append(contentsOf: UnsafeBufferPointer(start: bytes.start + position, count: first - position))
      position = end
    }
    rest.append(contentsOf: UnsafeBufferPointer(start: bytes.start + position, count: tools.upperBound - position))
    return rest.span.withJSONBytes { Self.hash($0, 0..<$0.count, window: Self.window, seed: 0) }
  }
}
