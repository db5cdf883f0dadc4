import Testing

@testable import Wire

@Suite struct RedactionTests {
  private static let secret = "canary provider/KEY:0123"

  @Test(arguments: [
    ("Incorrect API key provided: \(secret).", "Incorrect API key provided: [redacted]."),
    ("x\(secret.uppercased())\(secret)y", "x[redacted][redacted]y"),
    // Cut by the limit on the message's length.
    ("bad key canary provider/K", "bad key [redacted]"),
    ("the canary died", "the canary died"),
    ("key sk-secret over quota", "key [redacted] over quota"),
    ("SK-ABC-123456, gsk_aBcDeFgH!", "[redacted], [redacted]!"),
    ("header 'Bearer abcdef123456' is wrong", "header 'Bearer [redacted]' is wrong"),
    ("Bearer authentication is wanted", "Bearer authentication is wanted"),
    ("token 8f14e45fceea167a5a36dedd4bea2543 expired", "token [redacted] expired"),
    ("id 0193a2b4-77f1-7e0a-9c3e-5a1b2c3d4e5f", "id [redacted]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbg==", "[redacted]"),
    ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "[redacted]"),
  ]) func `what may be a key is taken out`(_ text: String, _ expected: String) {
    #expect(Redaction.redacted(text, secrets: [Self.secret]) == expected)
  }

  @Test(arguments: [
    "This model's maximum context length is 4096 tokens. However, you requested 12345678901234567890 tokens.",
    "model meta-llama/Llama-3.3-70B-Instruct-Turbo-FP8 is not found; did you mean Qwen3-Coder-480B-A35B-Instruct?",
    "gpt-4o-mini-2024-07-18: context_length_exceeded in max_completion_tokens, claude-sonnet-4-20250514",
    "é漢字😀, no capacity…", "", "-----------------------------------",
  ]) func `what is none stays`(_ text: String) {
    #expect(Redaction.redacted(text, secrets: [Self.secret, "", "none", "sim"]) == text)
  }

  @Test func `a provider's error is without them in all its parts`() {
    let body = #"{"error":{"message":"bad canary\u0020provider\/KEY:0123","code":"sk-12345","type":"t"}}"#
    let error = ProviderError.scan(Array(body.utf8).span).redacted(secrets: [Self.secret])
    #expect(error.message == "bad [redacted]" && error.code == "[redacted]" && error.type == "t")
  }

  @Test func `a key that the length limit cuts is taken out too`() {
    let filler = String(repeating: "a ", count: 241)
    let body = #"{"error":"\#(filler)\#(Self.secret)"}"#
    let message = ProviderError.scan(Array(body.utf8).span).redacted(secrets: [Self.secret]).message
    #expect(message == filler + Redaction.mark)
  }
}
