import Wire

/// One reading of one list.
struct ListReading {
  /// Why an entry is not used.
  struct Refusal: Error {
    let reason: String
  }

  /// Who an entry is: of OpenRouter's endpoints many have the same id.
  private struct Identity: Hashable {
    let id: String
    let tag: String?
  }

  let format: DiscoveryFormat
  let now: Int64
  let staleAt: Int64
  var models: [DiscoveredModel] = []
  var mistakes = DiscoveryMistakes()
  /// The entry that is being read.
  var entry = DiscoveryMistakes.Entry(place: 0, list: "data")
  private var seen: Set<Identity> = []

  init(format: DiscoveryFormat, now: Int64, staleAt: Int64) {
    self.format = format
    self.now = now
    self.staleAt = staleAt
  }

  mutating func read(_ body: [UInt8], mostBytes: Int = ProviderList.mostBytes) {
    if body.count > mostBytes {
      mistakes.add("the list has \(body.count) bytes: only the first \(mostBytes) are read")
    }
    var root = JSONCursor(body, end: mostBytes)
    if root.peek() == UInt8(ascii: "["), format != .endpoints {
      return readEntries(root, depth: 0) { (list, value) throws(Refusal) in try list.model(value) }
    }
    let offsets = root.offsets(of: ["data", "pagination", "links"])
    guard let place = offsets["data"] else {
      return mistakes.add("this is no list of models: there is no data")
    }
    var data = root
    data.position = place
    let first = data.peek()
    if first == UInt8(ascii: "["), format != .endpoints {
      readEntries(data, depth: 1) { (list, value) throws(Refusal) in try list.model(value) }
    } else if first == UInt8(ascii: "{"), format == .endpoints || format == .auto {
      readEndpoints(data)
    } else {
      mistakes.add("this is no list of models: data is not of the shape \(format.rawValue)")
    }
    noteFurtherPages(root, offsets)
  }

  /// A list may be only the first part of itself.
  private mutating func noteFurtherPages(_ root: JSONCursor, _ offsets: [String: Int]) {
    var cursor = root
    func value(_ name: String) -> JSONValue? {
      guard let place = offsets[name] else { return nil }
      cursor.position = place
      return try? cursor.read(depth: 1)
    }
    if value("pagination")?["has_next"]?.bool == true || value("links")?["next"] != nil {
      mistakes.add("the list goes on in a further page, which is not read")
    }
  }

  private mutating func readEndpoints(_ data: JSONCursor) {
    var cursor = data
    let offsets = cursor.offsets(of: ["id", "created", "architecture", "endpoints"])
    func value(_ name: String) -> JSONValue? {
      guard let place = offsets[name] else { return nil }
      cursor.position = place
      return try? cursor.read(depth: 2)
    }
    let (id, created, architecture) = (value("id"), value("created"), value("architecture"))
    entry = DiscoveryMistakes.Entry(place: 0, list: "endpoints")
    guard let place = offsets["endpoints"] else { return mistakes.add("this is no list of endpoints: there are none") }
    cursor.position = place
    readEntries(cursor, depth: 2) { (list, value) throws(Refusal) in
      try list.endpoint(value, id: id, created: created, architecture: architecture)
    }
  }

  private typealias EntryReading = (inout ListReading, JSONValue) throws(Refusal) -> DiscoveredModel

  /// Every element of an array on its own, so that no more than one is in memory.
  private mutating func readEntries(_ array: JSONCursor, depth: Int, _ read: EntryReading) {
    var cursor = array
    guard cursor.take("[") else { return mistakes.add("this is no list of models: it is no array") }
    if cursor.take("]") { return }
    var (place, cut) = (0, 0)
    var isWhole = true
    repeat {
      entry.place = place
      entry.id = nil
      if models.count >= ProviderList.mostModels || place >= ProviderList.mostEntries {
        cut += 1
        isWhole = (try? cursor.skip()) != nil
      } else {
        isWhole = readEntry(&cursor, depth: depth, read)
      }
      place += 1
    } while isWhole && cursor.take(",")
    if cut > 0 { mistakes.add("the list is too long: its last \(cut) entries are not used") }
    if !isWhole || !cursor.take("]") {
      mistakes.add("the list breaks off at byte \(cursor.position), behind \(place) entries")
    }
  }

  /// - Returns: false when the end of the entry cannot be found.
  private mutating func readEntry(_ cursor: inout JSONCursor, depth: Int, _ read: EntryReading) -> Bool {
    let start = cursor.position
    guard let value = try? cursor.read(depth: depth + 1) else {
      mistakes.add(entry, "no JSON at byte \(cursor.position)")
      // By its brackets alone the next entry may still be found.
      cursor.position = start
      return (try? cursor.skip()) != nil
    }
    do throws(Refusal) {
      if cursor.isTooDeep { throw Refusal(reason: "nested deeper than \(JSONCursor.depthLimit)") }
      if cursor.isTooLarge { throw Refusal(reason: "more than \(JSONCursor.valueLimit) values") }
      let model = try read(&self, value)
      try add(model)
    } catch {
      mistakes.add(entry, error.reason)
    }
    return true
  }

  private mutating func add(_ model: DiscoveredModel) throws(Refusal) {
    guard seen.insert(Identity(id: model.id, tag: model.traits.tag)).inserted else {
      throw Refusal(reason: "the same id as an entry before; the first is used")
    }
    models.append(model)
  }

  /// One entry, by what it looks like or is said to be.
  private mutating func model(_ value: JSONValue) throws(Refusal) -> DiscoveredModel {
    guard case .object = value else { throw Refusal(reason: "not an object") }
    switch format {
    case .openai: return try plain(value)
    case .ioNet: return value["metadata"] != nil ? try ioNet(value) : try plain(value)
    case .openrouter: return looksTyped(value) ? try typed(value) : try flat(value)
    case .auto, .endpoints:
      if looksTyped(value) { return try typed(value) }
      if value["model_id"] != nil, value["metadata"] != nil { return try ioNet(value) }
      return try flat(value)
    }
  }

  private func looksTyped(_ value: JSONValue) -> Bool {
    if value["schema_version"] != nil { return true }
    if case .object = value["input_modalities"]?.elements?.first { return true }
    return false
  }
}
