/// Raw requests that two readers could understand differently, or that are plainly wrong: each must be refused and end
/// its connection. The rules are RFC 9112's and RFC 9110's, with the strict choice where there is one.
enum SmugglingVectors {
  static let all: [String] =
    requestLines + headerLines.map(get) + hosts + contentLengths.map(withLength) + transferEncodings.map(withCoding)
    + framings + chunked.map(withChunks)

  static func get(_ line: String) -> String { "GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n" }

  private static func withLength(_ line: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\nhello" }

  private static func withCoding(_ line: String) -> String {
    "POST / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
  }

  private static func withChunks(_ body: String) -> String {
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)"
  }

  static let requestLines: [String] = [
    "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET /\tHTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1",
    "\tGET / HTTP/1.1", "\r\nGET / HTTP/1.1", "\nGET / HTTP/1.1", "\r\rGET / HTTP/1.1", "GET / HTTP/1.1\r", "GET /",
    "GET", "/ HTTP/1.1", "GET / HTTP/0.9", "GET / HTTP/2.0", "GET / HTTP/3.0", "GET / HTTP/1.2", "PRI * HTTP/2.0",
    "GET / HTTP/1.10", "GET / HTTP/01.1", "GET / HTTP/1,1", "GET / http/1.1", "GET / HTTP/ 1.1", "GET / HTTP /1.1",
    "GET / HTTP/11", "GET / HTTP/1.", "GET / HTTP", "GET / HTTPS/1.1", "GET / HTTP/1.1x", "GET /a b HTTP/1.1",
    "GET /\0 HTTP/1.1", "GET /a\rb HTTP/1.1", "GET /\u{e9} HTTP/1.1", "GET /\u{7f} HTTP/1.1", "GET /#part HTTP/1.1",
    "GET * HTTP/1.1", "GET path HTTP/1.1", "GET ?query HTTP/1.1", "CONNECT a:443 HTTP/1.1", "GET ftp://a/ HTTP/1.1",
    "GET http:/a/ HTTP/1.1", "G(ET / HTTP/1.1", "GE\0T / HTTP/1.1", "GET: / HTTP/1.1", "G\u{e9}T / HTTP/1.1",
    "\"GET\" / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET /\u{b}/ HTTP/1.1", "GET /\u{c} HTTP/1.1",
  ].map { "\($0)\r\nHost: a\r\n\r\n" }

  static let headerLines = [
    "X y", ": y", "X : y", "X\t: y", "X\0: y", "X: a\0b", "X: a\rb", "X: a\nb", "X: a\n\rb", "X(: y", "X: \u{1}",
    "X: \u{7f}", "X: \u{b}", " X: y", "\tX: y", "X: y\r\n z", "X: y\r\n\tz", "X: y\r\n ", "X\r\n: y", "X;: y", "X=: y",
    "X[1]: y", "X y: z", "\"X\": y", "X: y\r", "\u{e9}: y", "X@y: z", "X/y: z", "{X}: y", "X", "X\u{a0}: y",
    "Expect: 200-ok",
    "Expect: 100-continue, 100-continue", "Expect:",
    "Content-Type: application/json\r\nContent-Type: text/plain",
    "content-type: application/json\r\nContent-Type: application/json",
  ]

  static let hosts: [String] =
    [
      "", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a\r\nhOST: b\r\n", "Host:\r\n", "Host:  \r\n",
      "Host: a b\r\n", "Host: a, b\r\n", "Host: a,b\r\n", "Host: a/b\r\n", "Host: http://a\r\n", "Host: x@a\r\n",
      "Host: a:b\r\n", "Host: a:1:2\r\n", "Host: a:9999999\r\n", "Host: a:-1\r\n", "Host: :80\r\n", "Host: [::1\r\n",
      "Host: []\r\n", "Host: [::1]x\r\n", "Host: ::1\r\n", "Host: a?b\r\n", "Host: a#b\r\n", "Host: a\\b\r\n",
      "Host: a\tb\r\n", "Host: \u{e9}\r\n", "Host: a\r\n b\r\n", "Host : a\r\n",
    ].map { "GET / HTTP/1.1\r\n\($0)\r\n" }
    + [
      "http://b/", "http://a:81/", "http://x@a/", "http:///", "http://a", "http://a?q", "http://", "http://a\\/",
    ].map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }

  static let contentLengths =
    [
      "+5", "-5", "-0", "+0", "0x5", "5h", "a", "5a", "a5", "5 5", "5,5", "5, 5", "0,5", "5;", "5;q=1", "5.0", "5e0",
      "",
      "\t", "\u{b}5", "5\u{b}", "5\0", "\05", "'5'", "\"5\"", "_5", "1_0", "5,", ",5", "\u{665}", "\u{ff15}", "5\u{a0}",
      "00000000000000005", "9223372036854775808", "18446744073709551616", "18446744073709551621",
      "99999999999999999999999999", "5\r\n 5", "5\r5", "5\n5",
    ].map { "Content-Length: \($0)" }
    + [
      "Content-Length : 5", "Content-Length\t: 5", "Content-Length\0: 5", " Content-Length: 5", "Content-Length\r\n: 5",
      "Content-Length 5", "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6",
      "Content-Length: 5\r\ncontent-LENGTH: 0", "Content-Length: 0\r\nContent-Length: 5",
    ]

  static let transferEncodings =
    [
      "xchunked", "chunkedx", "chunk", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, identity",
      "identity, chunked", "chunked, chunked", "chunked,", ",chunked", "chunked;q=1", "chunked;", "\"chunked\"",
      "'chunked'", "", "\t", "\u{b}chunked", "chunked\u{b}", "\0chunked", "chunked\0", "chun\0ked", "chunked\r",
      "\r\n chunked", "chunked\r\n ", "ch\u{7f}unked", "\u{e9}chunked", "chunked\u{a0}", "chunked chunked",
      "x\nchunked",
      "chunked\u{1}",
    ].map { "Transfer-Encoding: \($0)" }
    + [
      "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "Transfer-Encoding\0: chunked",
      " Transfer-Encoding: chunked", "X: y\r\n Transfer-Encoding: chunked", "Transfer-Encoding\r\n: chunked",
      "Transfer-Encoding chunked", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
      "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
      "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
      "Content-Length: 0\r\nTransfer-Encoding: chunked", "transfer-encoding: CHUNKED\r\ncontent-length: 15",
      "Content-Length: 5\r\nX: y\r\nTransfer-Encoding: Chunked",
    ]

  static let framings = [
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\rHost: a\r\r", "GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n",
    "GET /\r\n", "\u{16}\u{3}\u{1}\u{2}\0\u{1}", "\0\0\0\u{12}\u{4}", "{\"model\":\"x\"}\r\n\r\n",
  ]

  static let chunked = [
    "g\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
    "5h\r\nhello\r\n0\r\n\r\n", "0_5\r\nhello\r\n0\r\n\r\n", "5.\r\nhello\r\n0\r\n\r\n", "5,5\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "\n5\r\nhello\r\n0\r\n\r\n", "5\r\r\nhello\r\n0\r\n\r\n",
    "5\0\r\nhello\r\n0\r\n\r\n", "00000000000000005\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "7fffffffffffffff\r\nhello\r\n0\r\n\r\n", "8000000000000000\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n", "1000000000001\r\nhello\r\n0\r\n\r\n", "\u{665}\r\nhello\r\n0\r\n\r\n",
    "5 ;x\r\nhello\r\n0\r\n\r\n", "5;x\nhello\r\n0\r\n\r\n", "5;x\ry\r\nhello\r\n0\r\n\r\n",
    "5;x\0\r\nhello\r\n0\r\n\r\n", "5;x=\u{7f}\r\nhello\r\n0\r\n\r\n",
    "5;\(String(repeating: "x", count: 1024))\r\nhello\r\n0\r\n\r\n",
    String(repeating: "1;\(String(repeating: "x", count: 300))\r\na\r\n", count: 4) + "0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n", "6\r\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello0\r\n\r\n", "5\r\nhello\r\n\r\n", "5\r\nhello \r\n0\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\nX : y\r\n\r\n",
    "0\r\n X: y\r\n\r\n", "0\r\nX: y\r\n z\r\n\r\n", "0\r\n: y\r\n\r\n", "0\r\nX: a\0\r\n\r\n", "0\r\nX: y\n\r\n",
    "0\r\n\n", "0\n\r\n", "0\r\n\rX: y\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n", "0\r\ncontent-length: 0\r\n\r\n", "0\r\nHost: b\r\n\r\n",
    "0\r\nX: \(String(repeating: "y", count: 8 * 1024))\r\n\r\n",
    "0\r\n" + String(repeating: "X: \(String(repeating: "y", count: 1000))\r\n", count: 9) + "\r\n",
  ]
}
