import Wire

/// io.net's list of today: a model's name is what goes on the wire, `model_id` is only its key, and what there is to
/// know stands in `metadata`.
extension ListReading {
  /// Amounts at or above this are taken for USD per million tokens: the list does not say its unit.
  private static let leastPerMillion: Int64 = 1_000_000_000

  mutating func ioNet(_ value: JSONValue) throws(Refusal) -> DiscoveredModel {
    var model = try begin(value["name"], "name")
    guard let metadata = value["metadata"], metadata.members != nil else {
      throw Refusal(reason: "metadata is not an object")
    }
    if let status = value["status"], status.text != "active" { throw Refusal(reason: "status is not active: left out") }
    let (chats, embeds) = (metadata["enable_api_chat_completions"], metadata["enable_api_embeddings"])
    if chats?.bool == false, embeds?.bool != true { throw Refusal(reason: "not for chat completions: left out") }
    addAliases([value["model_id"]], to: &model)
    model.created = created(value["created_at"])
    model.context = tokens(metadata["context_window"], "context_window")
    model.maxOutput = tokens(metadata["max_tokens"], "max_tokens")
    model.traits.quantization = quantization(metadata["precision"])
    if let images = metadata["supports_images_input"]?.bool { model.traits.inputs = images ? .image : [] }
    if metadata["tool_support"]?.text == "no" || metadata["tool_support"]?.bool == false {
      // Nothing is said of the other parameters.
      let tools = Self.withImplied(.tools)
      model.traits.parameters = ParameterSet.names.reduce(into: ParameterSet()) { all, name in
        all.formUnion(ParameterSet(name: name) ?? [])
      }.subtracting(tools)
    }
    setPrice(of: &model, value, hasOutput: chats?.bool != false) { (list) throws(ListedPrice.Refusal) in
      try list.ioNetPrice(metadata)
    }
    return model
  }

  private mutating func ioNetPrice(_ metadata: JSONValue) throws(ListedPrice.Refusal) -> ListedPrice? {
    let parts: [(PriceSchedule.Kind, String)] = [
      (.input, "input_token_price"), (.output, "output_token_price"), (.cachedInput, "cache_read_token_price"),
      (.cacheWrite, "cache_write_token_price"),
    ]
    let named = parts.compactMap { kind, name in metadata[name].map { (kind, name, $0) } }
    if named.isEmpty { return nil }
    // One entry has one unit, so its highest amount decides.
    let isPerMillion = named.contains { _, _, amount in
      guard let text = amount.digits, let decimal = try? ExactDecimal(text) else { return false }
      return (decimal.scaled(by: 12) ?? .max) >= Self.leastPerMillion
    }
    mistakes.remark(
      entry, "price unit guessed: USD per " + (isPerMillion ? "million tokens" : "token"))
    var price = ListedPrice()
    for (kind, name, value) in named {
      do {
        price.base[kind] = try ListedPrice.amount(value, name, isPerMillion ? .usdPerMillionTokens : .usdPerToken)
      } catch {
        if kind == .input || kind == .output { throw error }
        mistakes.add(entry, error.reason)
      }
    }
    return price
  }
}
