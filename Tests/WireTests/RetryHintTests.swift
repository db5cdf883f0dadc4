import Testing

@testable import Wire

@Suite struct RetryHintTests {
  /// Sunday, 6 November 1994, 08:49:37 UTC, in milliseconds since 1970.
  private static let now: Int64 = 784_111_777_000
  private static let second: UInt64 = 1_000_000_000
  private static let day: UInt64 = 86_400_000_000_000

  static let fields: [(text: String, delay: UInt64?)] = [
    ("7", 7 * second), ("0", 0), ("1.5", 1_500_000_000), ("0.0000000019", 1), ("86400", day), ("86401", day),
    ("1000000000", day), ("99999999999999999999999999999", day), ("1s", second), ("1m2.5s", 62_500_000_000),
    ("-1", nil), ("soon", nil), ("", nil), ("1.", nil), (".5", nil), ("1e3", nil), ("+5", nil), ("5, 6", nil),
    ("Sun, 06 Nov 1994 08:49:40 GMT", 3 * second), ("Sunday, 06-Nov-94 08:49:40 GMT", 3 * second),
    ("Sun Nov  6 08:49:40 1994", 3 * second), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    ("Sat, 05 Nov 1994 08:49:37 GMT", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", day), ("Sun, 06 Nov 1994 24:49:37 GMT", nil),
    ("Sun, 06 Foo 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 08:49:37 CET", nil),
    ("Sun, 32 Nov 1994 08:49:37 GMT", nil), ("1994-11-06T08:49:40Z", nil),
    ("Mon, 07 Nov 1994 08:49:36 GMT", day - second), ("Wed, 29 Feb 2096 00:00:00 GMT", day),
  ]

  @Test(arguments: fields) func `Retry-After is read in all its forms`(_ row: (text: String, delay: UInt64?)) {
    #expect(RetryHint.retryAfter(row.text, unixMilliseconds: Self.now) == row.delay)
  }

  @Test func `a date is counted to the millisecond, and never earlier than it says`() {
    let text = "Sun, 06 Nov 1994 08:49:40 GMT"
    #expect(RetryHint.retryAfter(text, unixMilliseconds: Self.now + 1) == 2_999_000_000)
    #expect(RetryHint.retryAfter(text, unixMilliseconds: .min) == 0)
    #expect(RetryHint.retryAfter(text, unixMilliseconds: .max) == 0)
  }

  @Test func `leap days are days`() {
    let start: Int64 = 951_696_000_000  // 28 February 2000
    #expect(RetryHint.retryAfter("Tue, 29 Feb 2000 00:00:00 GMT", unixMilliseconds: start) == Self.day)
    #expect(RetryHint.retryAfter("Wed, 01 Mar 2000 00:00:00 GMT", unixMilliseconds: start + 86_400_000) == Self.day)
    #expect(RetryHint.retryAfter("Wed, 01-Mar-00 00:00:00 GMT", unixMilliseconds: start + 172_799_000) == Self.second)
  }

  @Test(
    arguments: [("1500", 1_500_000_000), ("0", 0), ("0.5", 500_000), ("-5", nil), ("x", nil), ("10s", nil)]
      as [(String, UInt64?)]) func `milliseconds are read`(_ text: String, _ delay: UInt64?)
  {
    #expect(RetryHint.milliseconds(text) == delay)
  }

  static let bodies: [(body: String, delay: UInt64?)] = [
    (
      #"{"error":{"message":"Rate limit reached for gpt-x in organization org-a on tokens per min (TPM): Limit 30000, "#
        + #"Used 14567, Requested 24754. Please try again in 18.642s. Visit x.","type":"tokens","code":"r"}}"#,
      18_642_000_000
    ),
    (#"{"error":{"message":"Please try again in 320ms. Contact us"}}"#, 320_000_000),
    (#"{"error":{"message":"please TRY again in 1m2s."}}"#, 62 * second),
    (#"{"error":{"message":"Please try again in 1h2m3.5s."}}"#, 3_723_500_000_000),
    (#"{"error":{"message":"Please try again in 6ms. Contact"}}"#, 6_000_000),
    (#"{"error":{"message":"Usage exhausted. Please try again in 1h 5m."}}"#, 3_900 * second),
    (#"{"error":{"code":"429","message":"Please retry after 26 seconds."}}"#, 26 * second),
    (#"{"message":"try again in 2 days"}"#, day), ("Please retry after 15 minutes", 900 * second),
    (
      #"{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 58.934310785s.","status":"#
        + #""RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{}]},"#
        + #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"58s"}]}}"#, 58_934_310_785
    ),
    (#"[{"error":{"code":429,"message":"x","details":[{"retryDelay":"1.5s"}]}}]"#, 1_500_000_000),
    (#"{"error":{"details":[{"retryDelay":"0s"}]}}"#, 0), (#"{"error":{"details":[{"retryDelay":"-3s"}]}}"#, nil),
    (#"{"error":{"details":[{"retryDelay":3}]}}"#, nil), (#"{"error":{"details":[[{"retryDelay":"3s"}]]}}"#, nil),
    (#"{"error":{"details":[{"retryDelay":"9999999999999999999s"}]}}"#, day),
    (#"{"error":{"message":"Please try again in a moment"}}"#, nil),
    (#"{"error":{"message":"try again in 5 requests"}}"#, nil),
    (#"{"error":{"message":"retry after the reset"}}"#, nil),
    (#"{"error":{"message":"try again in 5"}}"#, nil), ("", nil),
  ]

  @Test(arguments: bodies) func `a delay in the body is found`(_ row: (body: String, delay: UInt64?)) {
    #expect(ProviderError.scan(Array(row.body.utf8).span).retryDelay == row.delay)
  }

  @Test func `headers go before the body, milliseconds before seconds, reported limits come last`() {
    func delay(_ milliseconds: String?, _ retryAfter: String?, _ body: UInt64?, _ limits: UInt64?) -> UInt64? {
      RetryHint.delay(
        milliseconds: milliseconds, retryAfter: retryAfter, body: body, limits: limits, unixMilliseconds: Self.now)
    }
    #expect(delay("1500", "2", 3, 4) == 1_500_000_000)
    #expect(delay("x", "2", 3, 4) == 2_000_000_000)
    #expect(delay(nil, "soon", 3, 4) == 3)
    #expect(delay(nil, nil, nil, 4) == 4)
    #expect(delay(nil, nil, nil, .max) == Self.day)
    #expect(delay(nil, "-1", nil, nil) == nil)
  }

  static let kinds: [(body: String, kind: ProviderError.Kind)] = [
    (
      #"{"type":"error","error":{"type":"rate_limit_error","message":"You have crossed a threshold","details":"#
        + #"{"error_code":"enforced_spend_limit_reached"}},"request_id":"r"}"#, .quota
    ),
    (
      #"{"error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#,
      .quota
    ),
    (#"{"error":{"message":"x","code":"organization_spend_limit_exceeded"}}"#, .quota),
    (#"{"error":{"message":"Your credit balance is too low to access the API"}}"#, .quota),
    // Limits per minute, whatever else their messages speak of.
    (bodies[9].body, .other),
    (#"{"error":{"message":"Limit: 3 / min. Please try again in 20s. See https://x/account/billing"}}"#, .other),
    (#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details."}}"#, .quota),
    (
      #"{"error":{"message":"You exceeded your current quota. Try again in 5s","code":"insufficient_quota"}}"#, .quota
    ),
  ]

  @Test(arguments: kinds) func `used up money is told from a limit that passes`(
    _ row: (body: String, kind: ProviderError.Kind)
  ) {
    #expect(ProviderError.scan(Array(row.body.utf8).span).kind == row.kind)
  }

  @Test func `no text traps`() {
    var random = SeededRandom(6)
    let alphabet = Array("0123456789.smhd retry in afterGMT,:-JanNov".utf8)
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
      let read = RetryHint.retryAfter(String(decoding: text, as: UTF8.self), unixMilliseconds: Self.now)
      #expect((read ?? 0) <= Self.day)
      #expect((RetryHint.message(Array("retry in ".utf8) + text) ?? 0) <= Self.day)
    }
  }
}
