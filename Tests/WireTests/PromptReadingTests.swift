import Testing

@testable import Wire

/// A chat request with these messages, and these members behind them.
func messages(_ messages: String, _ members: String = "") -> String {
  #"{"model":"m","messages":[\#(messages)]\#(members.isEmpty ? "" : "," + members)}"#
}

@Suite struct PromptReadingTests {
  static let picture = String(repeating: "QUJD", count: 200)

  static let rich = messages(
    #"{"role":"system","content":"be brief","cache_control":{"type":"ephemeral"}},"#
      + #"{"role":"user","content":[{"type":"text","text":"see"},"#
      + #"{"type":"image_url","image_\u0075rl":{"url":"data:image/png;base64,\#(picture)"}},"#
      + #"{"type":"input_audio","input_audio":{"data":"\#(picture)","format":"wav"}},"#
      + #"{"type":"file","file":{"filename":"a.pdf","file_data":"\#(picture)"}},"#
      + #"{"type":"video_url","video_url":"http://x/y","prompt_cache_breakpoint":true}]},"#
      + #"{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","#
      + #""function":{"name":"f","arguments":"{\"image_url\":1,\"cache_control\":2}"}}],"#
      + #""reasoning_details":[{"data":"x","type":"reasoning.encrypted"}]}"#,
    #""temperature":0,"top_p":null,"tools":[{"type":"function","function":{"name":"f","#
      + #""parameters":{"type":"object","properties":{"cache_control":{"type":"string"}}}}}],"#
      + #""response_format":{"type":"json_schema","json_schema":{}},"seed":4,"se\u0065d2":1"#)

  @Test func `media are told and counted, and their bytes`() throws {
    let scan = try scan(Self.rich)
    #expect(scan.modalities == [.image, .audio, .file, .video])
    #expect(scan.mediaCount == 4)
    #expect(scan.mediaBytes == 3 * 800 + 22)
    #expect(scan.hasReasoningSignatures)
    #expect(scan.hasCacheMarkers)
    #expect(scan.parameters.listed == ["temperature", "seed", "structured_outputs", "tools"])
  }

  @Test func `an audio of base64 at the end of a long history is seen as well`() throws {
    let turn = #"{"role":"user","content":"x"},{"role":"assistant","cache_control":{"type":"e"},"content":"y"},"#
    let body = messages(
      String(repeating: turn, count: 100)
        + #"{"role":"user","cache_control":{"type":"e"},"content":[{"type":"input_audio","input_audio":{}}]}"#)
    #expect(try scan(body).modalities == .audio)
    #expect(try scan(body).hasCacheMarkers)
  }

  @Test(arguments: [
    #"{"role":"user","content":"image_url cache_control signature \"image_url\":1"}"#,
    #"{"role":"user","content":[{"type":"text","text":"x","image_url":null,"cache_control":null,"signature":null}]}"#,
    #"{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"signature\":\"x\",\"file\":{}}"}}]}"#,
    #"{"role":"user","file":{},"content":[{"type":"text","text":"x","signature":"","meta":{"image_url":"x"}}]}"#,
    #""just a text", 5, [], {}"#,
  ]) func `what only looks like media, a marker or a signature is none`(_ text: String) throws {
    let scan = try scan(messages(text))
    #expect(scan.modalities == [])
    #expect(scan.mediaCount == 0)
    #expect(!scan.hasCacheMarkers)
    #expect(!scan.hasReasoningSignatures)
  }

  @Test(arguments: [
    #"{"role":"assistant","tool_calls":[{"extra_content":{"google":{"thought_signature":"abc"}}}]}"#,
    #"{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"abc"}]}"#,
    #"{"role":"assistant","reasoning_details":[{"type":"reasoning.text","sign\u0061ture":"abc"}]}"#,
  ]) func `signatures are seen wherever a maker puts them`(_ message: String) throws {
    #expect(try scan(messages(message)).hasReasoningSignatures)
    #expect(try scan(messages(#"{"role":"system","content":"x"},{"role":"user"},"# + message)).hasReasoningSignatures)
  }

  @Test(arguments: [
    (#""response_format":{"type":"json_object"}"#, ["response_format"]),
    (#""response_format":{"type":"text"}"#, []), (#""response_format":null"#, []), (#""response_format":5"#, []),
    (
      #""t\u006fols":[],"tool_choice":"auto","stop":[],"max_tokens":5"#, ["max_tokens", "stop", "tools", "tool_choice"]
    ),
    (#""structured_outputs":{},"user":"x","n":1,"stream":true"#, []),
    (
      #""reasoning_effort":"low","include_reasoning":false,"verbosity":"low""#,
      ["reasoning_effort", "include_reasoning", "verbosity"]
    ),
  ]) func `parameters that are not null are told`(_ members: String, _ expected: [String]) throws {
    #expect(try scan(chat(members)).parameters.listed == expected)
  }

  @Test func `each parameter's name is known`() throws {
    for name in ParameterSet.names where name != "response_format" && name != "structured_outputs" {
      #expect(try scan(chat(#""\#(name)":1"#)).parameters == ParameterSet(name: name))
    }
  }

  @Test func `a rich request reads the same in every two pieces`() {
    let bytes = Array(Self.rich.utf8)
    let whole = WireProperties.scan(bytes, .chatCompletions, pieces: [])
    #expect(throws: Never.self) { try whole.get() }
    for cut in 0...bytes.count { #expect(WireProperties.scan(bytes, .chatCompletions, pieces: [cut]) == whole) }
    #expect(WireProperties.scan(bytes, .chatCompletions, pieces: Array(0...bytes.count)) == whole)
  }
}
